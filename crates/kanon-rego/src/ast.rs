//! The tree of a module. Every node has its span in the source; rewritten nodes keep the span of what they came from.
//!
//! The parser makes it, the checks read it, the rewriting changes it, the printers write it. It knows no semantics.

use kanon_lang::Span;

/// Text of names and literals.
pub(crate) type Text = Box<str>;

/// A whole file.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    /// Components of the package's path, without `data`.
    pub(crate) package: Vec<Text>,
    /// Where the package's path stands.
    pub(crate) package_span: Span,
    /// In order of place.
    pub(crate) imports: Vec<Import>,
    /// In order of place.
    pub(crate) rules: Vec<Rule>,
    /// Spans of the comments, `#` included, line ends not.
    pub(crate) comments: Vec<Span>,
    /// Whether `not` has the meaning of `import future.keywords.not`.
    pub(crate) plain_not: bool,
}

/// `import data.a.b as c`.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    /// Components, the root (`data`, `input`, `future`, `rego`) included.
    pub(crate) path: Vec<Text>,
    /// The name after `as`.
    pub(crate) alias: Option<Text>,
    /// The whole.
    pub(crate) span: Span,
}

impl Import {
    /// The name that the module may use; `None` for imports that switch on syntax.
    pub(crate) fn name(&self) -> Option<&str> {
        match self.path.first().map(AsRef::as_ref) {
            Some("data" | "input") => self.alias.as_deref().or_else(|| self.path.last().map(AsRef::as_ref)),
            _ => None,
        }
    }
}

/// One definition of a rule; each body of several is a definition of its own.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// What it defines.
    pub(crate) head: Head,
    /// When; empty where the head stands alone.
    pub(crate) body: Body,
    /// The branches after it.
    pub(crate) otherwise: Vec<Else>,
    /// `default …`.
    pub(crate) is_default: bool,
    /// The whole.
    pub(crate) span: Span,
}

/// The head of a rule.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// Its name: a variable, then operands.
    pub(crate) path: Vec<Term>,
    /// Parameters of a function.
    pub(crate) args: Option<Vec<Term>>,
    /// The element after `contains` (or in brackets, in v0).
    pub(crate) element: Option<Term>,
    /// The value; true where there is none and no element.
    pub(crate) value: Option<Term>,
    /// The whole.
    pub(crate) span: Span,
}

/// `else := value if { body }`.
#[derive(Clone, Debug)]
pub(crate) struct Else {
    /// The value; true where there is none.
    pub(crate) value: Option<Term>,
    /// When; empty where it always applies.
    pub(crate) body: Body,
    /// The whole.
    pub(crate) span: Span,
}

/// Expressions that must all hold.
pub(crate) type Body = Vec<Literal>;

/// One expression of a body.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    /// What it is.
    pub(crate) kind: LiteralKind,
    /// `not …`.
    pub(crate) negated: bool,
    /// `with target as value`.
    pub(crate) with: Vec<With>,
    /// The whole.
    pub(crate) span: Span,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub(crate) enum LiteralKind {
    /// A term that must be defined and not false.
    Term(Term),
    /// `a := b`
    Assign(Term, Term),
    /// `a = b`
    Unify(Term, Term),
    /// `some a, b`
    Some(Vec<(Text, Span)>),
    /// `some k, v in xs`
    SomeIn(Option<Term>, Term, Term),
    /// `every k, v in xs { … }`
    Every(Box<Every>),
}

/// `every k, v in xs { … }`
#[derive(Clone, Debug)]
pub(crate) struct Every {
    /// The key's name.
    pub(crate) key: Option<(Text, Span)>,
    /// The element's name.
    pub(crate) value: (Text, Span),
    /// What is gone through.
    pub(crate) domain: Term,
    /// What must hold for each.
    pub(crate) body: Body,
}

/// `with target as value`
#[derive(Clone, Debug)]
pub(crate) struct With {
    /// What is replaced: `input.a`, `data.b`, a function.
    pub(crate) target: Term,
    /// By what.
    pub(crate) value: Term,
}

/// A term with its place.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    /// What it is.
    pub(crate) kind: TermKind,
    /// Where.
    pub(crate) span: Span,
    /// Levels of terms in it, itself included: bounded, so that walks over the tree may recurse.
    pub(crate) depth: u16,
}

/// What a term is.
#[derive(Clone, Debug)]
pub(crate) enum TermKind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// As written.
    Number(Text),
    /// Unescaped.
    Str(Text),
    /// `$"…"`
    Template(Vec<Part>),
    /// A name; `_` is a new one each time.
    Var(Text),
    /// A head and its operands: `a.b[c]`.
    Ref(Box<Term>, Vec<Term>),
    /// `f(x)`: a variable or reference, and arguments.
    Call(Box<Term>, Vec<Term>),
    /// `a + b`
    Infix(Infix, Box<(Term, Term)>),
    /// `k, v in xs`, as a test.
    Member(Option<Box<Term>>, Box<(Term, Term)>),
    /// `[a, b]`
    Array(Vec<Term>),
    /// `{a, b}`, `set()`
    Set(Vec<Term>),
    /// `{a: b}`
    Object(Vec<(Term, Term)>),
    /// `[x | …]`
    ArrayOf(Box<Term>, Body),
    /// `{x | …}`
    SetOf(Box<Term>, Body),
    /// `{k: v | …}`
    ObjectOf(Box<(Term, Term)>, Body),
}

/// A part of a template.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Text, unescaped.
    Text(Text),
    /// `{…}`
    Expr(Literal),
}

/// Operators between two terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Infix {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `|`
    Or,
    /// `&`
    And,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

impl Infix {
    /// As written.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Infix::Equal => "==",
            Infix::NotEqual => "!=",
            Infix::Less => "<",
            Infix::LessEqual => "<=",
            Infix::Greater => ">",
            Infix::GreaterEqual => ">=",
            Infix::Or => "|",
            Infix::And => "&",
            Infix::Plus => "+",
            Infix::Minus => "-",
            Infix::Times => "*",
            Infix::Divide => "/",
            Infix::Remainder => "%",
        }
    }

    /// How tightly it binds; `in` is 1.
    pub(crate) fn level(self) -> u8 {
        match self {
            Infix::Equal | Infix::NotEqual | Infix::Less | Infix::LessEqual | Infix::Greater | Infix::GreaterEqual => 2,
            Infix::Or => 3,
            Infix::And => 4,
            Infix::Plus | Infix::Minus => 5,
            Infix::Times | Infix::Divide | Infix::Remainder => 6,
        }
    }
}

impl TermKind {
    /// Levels of terms below.
    fn depth(&self) -> u16 {
        let most = |terms: &[Term]| terms.iter().map(|it| it.depth).max().unwrap_or(0);
        match self {
            TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::Str(_) | TermKind::Var(_) => 0,
            TermKind::Template(parts) => {
                let part = |part: &Part| match part {
                    Part::Text(_) => 0,
                    Part::Expr(literal) => literal.depth(),
                };
                parts.iter().map(part).max().unwrap_or(0)
            }
            TermKind::Ref(head, rest) | TermKind::Call(head, rest) => head.depth.max(most(rest)),
            TermKind::Infix(_, pair) => pair.0.depth.max(pair.1.depth),
            TermKind::Member(key, pair) => pair.0.depth.max(pair.1.depth).max(key.as_ref().map_or(0, |it| it.depth)),
            TermKind::Array(items) | TermKind::Set(items) => most(items),
            TermKind::Object(members) => members.iter().map(|(k, v)| k.depth.max(v.depth)).max().unwrap_or(0),
            TermKind::ArrayOf(head, body) | TermKind::SetOf(head, body) => head.depth.max(body_depth(body)),
            TermKind::ObjectOf(head, body) => head.0.depth.max(head.1.depth).max(body_depth(body)),
        }
    }
}

impl Term {
    /// A node over its parts.
    pub(crate) fn new(kind: TermKind, span: Span) -> Term {
        let depth = kind.depth().saturating_add(1);
        Term { kind, span, depth }
    }

    /// A name.
    pub(crate) fn var(name: &str, span: Span) -> Term {
        Term::new(TermKind::Var(name.into()), span)
    }

    /// The text of a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.kind {
            TermKind::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The name of a variable.
    pub(crate) fn as_var(&self) -> Option<&str> {
        match &self.kind {
            TermKind::Var(name) => Some(name),
            _ => None,
        }
    }

    /// The components of a path of constant names: `data.a["b"]`.
    pub(crate) fn path(&self) -> Option<Vec<&str>> {
        match &self.kind {
            TermKind::Var(name) => Some(vec![name]),
            TermKind::Ref(head, rest) => {
                let mut path = vec![head.as_var()?];
                for operand in rest {
                    path.push(operand.as_str()?);
                }
                Some(path)
            }
            _ => None,
        }
    }
}

/// Levels of terms in a body.
pub(crate) fn body_depth(body: &[Literal]) -> u16 {
    body.iter().map(Literal::depth).max().unwrap_or(0)
}

impl Literal {
    /// A literal that is a term, as written.
    pub(crate) fn new(kind: LiteralKind, span: Span) -> Literal {
        Literal { kind, negated: false, with: Vec::new(), span }
    }

    /// Levels of terms in it.
    pub(crate) fn depth(&self) -> u16 {
        let of_kind = match &self.kind {
            LiteralKind::Term(term) => term.depth,
            LiteralKind::Assign(a, b) | LiteralKind::Unify(a, b) => a.depth.max(b.depth),
            LiteralKind::Some(_) => 0,
            LiteralKind::SomeIn(key, value, domain) => {
                value.depth.max(domain.depth).max(key.as_ref().map_or(0, |it| it.depth))
            }
            LiteralKind::Every(every) => every.domain.depth.max(body_depth(&every.body)).saturating_add(1),
        };
        self.with.iter().map(|with| with.target.depth.max(with.value.depth)).fold(of_kind, u16::max)
    }
}
