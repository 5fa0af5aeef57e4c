//! What compiles but is likely a mistake: conditions that are always the same, values compared with themselves, names that
//! nothing reads.

use kanon_lang::{Diagnostic, Span};

use crate::{
    ast::{Binary, Expr, Kind, Variable},
    check::{Checked, Reference},
    print::print,
};

/// The findings, in order of place. `known`: conditions whose value the compiler found.
pub(crate) fn lint(checked: &Checked, known: &[(Span, bool)]) -> Vec<Diagnostic> {
    let mut lint = Lint { checked, scope: Vec::new(), findings: Vec::new() };
    lint.expr(&checked.expr);
    let mut findings = lint.findings;
    for (span, value) in known {
        // Of one in another only the outer is told.
        let is_inner = |other: &Span| other != span && other.start <= span.start && span.end <= other.end;
        if !known.iter().any(|it| is_inner(&it.0)) {
            findings.push(finding(format!("this is always {value}"), *span, "remove it, or compare with what varies"));
        }
    }
    findings.sort_by_key(|it| it.span);
    findings
}

fn finding(message: String, span: Span, help: &str) -> Diagnostic {
    Diagnostic { message, span, help: Some(help.to_owned()) }
}

struct Lint<'c> {
    checked: &'c Checked,
    /// The variables of the macros around, as the checker counts them, and whether they were read.
    scope: Vec<(&'c Variable, bool)>,
    findings: Vec<Diagnostic>,
}

impl<'c> Lint<'c> {
    fn expr(&mut self, expr: &'c Expr) {
        if let Reference::Local(at) = self.checked.reference(expr.id) {
            if let Some((_, read)) = self.scope.get_mut(*at) {
                *read = true;
            }
            return;
        }
        match &expr.kind {
            Kind::Loop(it) => {
                self.expr(&it.range);
                let before = self.scope.len();
                self.scope.extend(it.variables.iter().map(|it| (it, false)));
                it.filter.iter().for_each(|it| self.expr(it));
                self.expr(&it.body);
                // Of two variables one is often there for the other's sake.
                let is_read = self.scope.drain(before..).any(|it| it.1);
                if let (false, Some(name)) = (is_read, it.variables.first()) {
                    self.unread(name, "the result does not depend on the elements");
                }
            }
            Kind::Bind(bind) => {
                self.expr(&bind.value);
                self.scope.push((&bind.variable, false));
                self.expr(&bind.body);
                if let Some((_, false)) = self.scope.pop() {
                    self.unread(&bind.variable, "remove the binding");
                }
            }
            // Slots of blocks are scope too; who writes blocks by machine wants no advice.
            Kind::Block(_) => {}
            Kind::Binary(operator, operands) if compares(*operator) => {
                if !matches!(operands.0.kind, Kind::Literal(_)) && print(&operands.0) == print(&operands.1) {
                    let message = "both sides are the same".to_owned();
                    self.findings.push(finding(message, expr.span, "compare with something else"));
                }
                self.expr(&operands.0);
                self.expr(&operands.1);
            }
            _ => expr.children(&mut |it| self.expr(it)),
        }
    }

    fn unread(&mut self, variable: &Variable, help: &str) {
        // Names of blocks cannot be written, nor removed.
        if !variable.name.starts_with('@') {
            self.findings.push(finding(format!("`{}` is never used", variable.name), variable.span, help));
        }
    }
}

fn compares(operator: Binary) -> bool {
    match operator {
        Binary::Equal
        | Binary::NotEqual
        | Binary::Less
        | Binary::LessEqual
        | Binary::Greater
        | Binary::GreaterEqual => true,
        Binary::In | Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Modulo => false,
    }
}
