//! The rules that are measured one at a time, with the figures of the Go originals and the bars.

use std::sync::Arc;

use kanon_lang::{Arena, EvalError, Language, LanguageId, Limits, Options, Program, Value};

use super::inputs::{Document, Inputs};

/// A rule and what is known of it.
pub(crate) struct Rule {
    /// Its short name, as in the tables.
    pub(crate) id: &'static str,
    /// What it does.
    pub(crate) what: &'static str,
    /// The language it is written in.
    pub(crate) language: LanguageId,
    /// What it reads.
    pub(crate) document: Document,
    /// Its text.
    pub(crate) source: &'static str,
    /// Its value.
    pub(crate) expected: bool,
    /// Nanoseconds and allocations in the Go original's best mode.
    pub(crate) go: Option<(f64, f64)>,
    /// Nanoseconds that it may take.
    pub(crate) most: Option<f64>,
}

/// C1 to C5 and E1 to E5 of the tables, E2 in both spellings, and simple predicates.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "C1",
        what: "gate, five clauses",
        language: LanguageId::CEL,
        document: Document::Gate,
        source: "schedule.hour >= 9 && schedule.hour < 17 && !schedule.isWeekend && \
                 bundle.provenance.author != \"dependabot[bot]\" && bundle.upstreamSoakMinutes >= 30",
        expected: true,
        go: Some((276.0, 1.0)),
        most: Some(70.0),
    },
    Rule {
        id: "C2",
        what: "all() over containers",
        language: LanguageId::CEL,
        document: Document::Pod,
        source: "object.spec.containers.all(c, !has(c.securityContext.privileged) || \
                 c.securityContext.privileged == false)",
        expected: true,
        go: Some((1473.0, 19.0)),
        most: None,
    },
    Rule {
        id: "C2b",
        what: "the same over two containers",
        language: LanguageId::CEL,
        document: Document::Pair,
        source: "object.spec.containers.all(c, !has(c.securityContext.privileged) || \
                 c.securityContext.privileged == false)",
        expected: true,
        go: None,
        most: Some(100.0),
    },
    Rule {
        id: "C3",
        what: "nested exists()",
        language: LanguageId::CEL,
        document: Document::Pod,
        source: "object.spec.containers.exists(c, has(c.env) && c.env.exists(e, e.name == \"NOPE\" && \
                 has(e.valueFrom) && has(e.valueFrom.secretKeyRef)))",
        expected: false,
        go: Some((4719.0, 60.0)),
        most: Some(350.0),
    },
    Rule {
        id: "C4",
        what: "gate, one field",
        language: LanguageId::CEL,
        document: Document::Gate,
        source: "!schedule.isWeekend",
        expected: true,
        go: Some((49.0, 0.0)),
        most: Some(25.0),
    },
    Rule {
        id: "C5",
        what: "label keys and image prefixes",
        language: LanguageId::CEL,
        document: Document::Pod,
        source: "object.metadata.labels.all(k, k.size() < 64) && object.spec.containers.all(c, \
                 c.image.startsWith(\"ghcr.io/\") || c.image.startsWith(\"docker.io/\"))",
        expected: true,
        go: Some((2534.0, 24.0)),
        most: None,
    },
    Rule {
        id: "C6",
        what: "simple: a path equals a text",
        language: LanguageId::CEL,
        document: Document::Pod,
        source: "object.metadata.namespace == 'payments'",
        expected: true,
        go: None,
        most: Some(25.0),
    },
    Rule {
        id: "E1",
        what: "simple: container.privileged",
        language: LanguageId::EXPR,
        document: Document::Admission,
        source: "container.securityContext.privileged == true",
        expected: false,
        go: Some((183.0, 3.0)),
        most: Some(25.0),
    },
    Rule {
        id: "E2",
        what: "any image with a prefix",
        language: LanguageId::EXPR,
        document: Document::Admission,
        source: "any(object.spec.containers, .image startsWith \"quay.io/\")",
        expected: false,
        go: Some((446.0, 6.0)),
        most: None,
    },
    Rule {
        id: "E2#",
        what: "the same, {#.image …}",
        language: LanguageId::EXPR,
        document: Document::Admission,
        source: "any(object.spec.containers, {#.image startsWith \"quay.io/\"})",
        expected: false,
        go: Some((446.0, 6.0)),
        most: None,
    },
    Rule {
        id: "E3",
        what: "four clauses with ?. and ??",
        language: LanguageId::EXPR,
        document: Document::Admission,
        source: "(container.securityContext?.runAsUser ?? 0) == 0 && \
                 container.securityContext?.readOnlyRootFilesystem == true && \
                 (securityContext?.runAsUser ?? 0) > 0 && object.metadata?.labels?.team == \"payments\"",
        expected: true,
        go: Some((757.0, 11.0)),
        most: None,
    },
    Rule {
        id: "E4",
        what: "nested any()",
        language: LanguageId::EXPR,
        document: Document::Admission,
        source: "any(object.spec.containers, {any(#.env ?? [], {#.name == \"NOPE\" and \
                 #.valueFrom?.secretKeyRef != nil})})",
        expected: false,
        go: Some((1520.0, 18.0)),
        most: Some(350.0),
    },
    Rule {
        id: "E5",
        what: "simple: registry not in a list",
        language: LanguageId::EXPR,
        document: Document::Admission,
        source: "not (container.image.registry in [\"ghcr.io\", \"registry.k8s.io\", \"quay.io\"])",
        expected: false,
        go: Some((211.0, 3.0)),
        most: Some(25.0),
    },
    Rule {
        id: "E6",
        what: "simple: a field that is not there",
        language: LanguageId::EXPR,
        document: Document::Pod,
        source: "object.spec.hostNetwork == true",
        expected: false,
        go: None,
        most: Some(25.0),
    },
];

/// The two languages of rules.
pub(crate) struct Engines {
    cel: kanon_cel::Cel,
    expr: kanon_expr::Expr,
}

impl Engines {
    /// With what each language has by itself.
    pub(crate) fn new() -> Engines {
        Engines { cel: kanon_cel::Cel::default(), expr: kanon_expr::Expr::default() }
    }

    fn language(&self, id: LanguageId) -> &dyn Language {
        if id == LanguageId::CEL { &self.cel } else { &self.expr }
    }

    /// Compiles a rule.
    pub(crate) fn compile(&self, id: LanguageId, source: &str, of: Document) -> anyhow::Result<Arc<dyn Program>> {
        let options = Options { boolean: true, ..Options::default() };
        self.language(id).compile(source, &of.environment(), &options).map_err(|mistakes| {
            let texts: Vec<_> = mistakes.list.iter().map(|it| it.message.as_str()).collect();
            anyhow::anyhow!("`{source}` does not compile: {}", texts.join("; "))
        })
    }

    /// Compiles a rule and gives it its document.
    pub(crate) fn prepare<'i>(&self, rule: &Rule, inputs: &'i Inputs) -> anyhow::Result<Prepared<'i>> {
        let program = self.compile(rule.language, rule.source, rule.document)?;
        let prepared = Prepared { program, values: inputs.values(rule.document), limits: Limits::default() };
        let value = prepared.evaluate(&mut Arena::new());
        anyhow::ensure!(value == Ok(rule.expected), "{} gives {value:?}, not {}", rule.id, rule.expected);
        Ok(prepared)
    }
}

/// A program with what it reads.
pub(crate) struct Prepared<'i> {
    /// The program.
    pub(crate) program: Arc<dyn Program>,
    /// The values of its variables.
    pub(crate) values: Vec<Value<'i>>,
    /// What it may cost.
    pub(crate) limits: Limits,
}

impl Prepared<'_> {
    /// One evaluation, as a worker does it: its arena is reset, not made anew.
    #[inline]
    pub(crate) fn evaluate(&self, arena: &mut Arena) -> Result<bool, EvalError> {
        arena.reset();
        let value = self.program.evaluate(&self.values, &self.limits, arena)?;
        Ok(matches!(value, Value::Bool(true)))
    }
}
