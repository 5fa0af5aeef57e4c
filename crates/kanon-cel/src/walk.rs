//! What a parsed expression reads: declared variables and the paths into them, undeclared names, and how deep its macros nest.

use cel::{
    Program,
    common::ast::{EntryExpr, Expr, IdedExpr, SourceInfo},
};
use kanon_lang::{Diagnostic, Environment, Reads, Span};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) reads: Reads,
    pub(crate) undeclared: Vec<Diagnostic>,
    /// How many macros (`all`, `map`, …) stand inside each other.
    pub(crate) loops: u32,
}

/// Names of types, which are values of the language.
const TYPES: &[&str] = &[
    "bool",
    "bytes",
    "double",
    "duration",
    "dyn",
    "google",
    "int",
    "list",
    "map",
    "math",
    "null_type",
    "optional",
    "optional_type",
    "string",
    "strings",
    "timestamp",
    "type",
    "uint",
];

pub(crate) fn facts(program: &Program, source: &str, env: &Environment) -> Facts {
    let mut walk =
        Walk { info: program.source_info(), source, env, bound: Vec::new(), loops: 0, facts: Facts::default() };
    walk.expr(program.expression(), Vec::new());
    let mut facts = walk.facts;
    facts.reads.variables.sort_unstable();
    facts.reads.variables.dedup();
    facts.reads.paths.sort();
    facts.reads.paths.dedup();
    facts.undeclared.sort_by_key(|it| it.span);
    facts.undeclared.dedup();
    facts
}

struct Walk<'p> {
    info: &'p SourceInfo,
    source: &'p str,
    env: &'p Environment,
    /// Variables of the macros around.
    bound: Vec<&'p str>,
    loops: u32,
    facts: Facts,
}

impl<'p> Walk<'p> {
    /// `members` are the names that follow, last first.
    fn expr(&mut self, expr: &'p IdedExpr, members: Vec<&'p str>) {
        match &expr.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => self.name(expr.id, name, members),
            Expr::Select(select) => {
                let mut members = members;
                members.push(&select.field);
                self.expr(&select.operand, members);
            }
            Expr::Call(call) => {
                if let Some(target) = &call.target
                    && !self.is_namespace(target)
                {
                    self.expr(target, Vec::new());
                }
                for arg in &call.args {
                    self.expr(arg, Vec::new());
                }
            }
            Expr::List(list) => list.elements.iter().for_each(|it| self.expr(it, Vec::new())),
            Expr::Map(map) => map.entries.iter().for_each(|it| self.entry(&it.expr)),
            Expr::Struct(message) => message.entries.iter().for_each(|it| self.entry(&it.expr)),
            Expr::Comprehension(it) => {
                self.expr(&it.iter_range, Vec::new());
                self.expr(&it.accu_init, Vec::new());
                let outside = self.bound.len();
                self.bound.extend([it.accu_var.as_str(), it.iter_var.as_str()]);
                self.bound.extend(it.iter_var2.as_deref());
                self.loops += 1;
                self.facts.loops = self.facts.loops.max(self.loops);
                self.expr(&it.loop_cond, Vec::new());
                self.expr(&it.loop_step, Vec::new());
                self.expr(&it.result, Vec::new());
                self.loops -= 1;
                self.bound.truncate(outside);
            }
        }
    }

    /// `math` in `math.greatest(1, 2)` is no variable.
    fn is_namespace(&self, target: &IdedExpr) -> bool {
        matches!(&target.expr, Expr::Ident(name) if self.env.slot(name).is_none() && TYPES.contains(&name.as_str()))
    }

    fn entry(&mut self, entry: &'p EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.expr(&field.value, Vec::new()),
            EntryExpr::MapEntry(entry) => {
                self.expr(&entry.key, Vec::new());
                self.expr(&entry.value, Vec::new());
            }
        }
    }

    fn name(&mut self, id: u64, name: &'p str, members: Vec<&'p str>) {
        // `.name` asks for the outermost meaning.
        let plain = name.trim_start_matches('.');
        if self.bound.contains(&plain) || name.starts_with('@') {
            return;
        }
        if let Some(slot) = self.env.slot(plain) {
            self.facts.reads.variables.push(slot);
            let path = std::iter::once(plain).chain(members.into_iter().rev()).map(str::to_owned);
            self.facts.reads.paths.push(path.collect());
        } else if !TYPES.contains(&plain) {
            let message = format!("undeclared reference to '{plain}' (in container '')");
            self.facts.undeclared.push(Diagnostic { message, span: self.span(id), help: None });
        }
    }

    fn span(&self, id: u64) -> Span {
        let (start, stop) = self.info.offset_for(id).unwrap_or_default();
        let len = self.source.len();
        Span::new((start as usize).min(len), (stop as usize + 1).min(len))
    }
}
