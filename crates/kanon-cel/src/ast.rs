//! The syntax tree: what the parser makes, the checker annotates and the printer writes. Macros are nodes of their own and
//! stay what they were written as. Nothing here knows types or values of a run.

use kanon_lang::Span;

/// How deep a tree may be. cel-go allows as much.
pub(crate) const MAX_DEPTH: u32 = 250;

/// A node's number in its tree, from 0 with few gaps: what is known of nodes is kept in lists by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) u32);

/// An expression.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) id: NodeId,
    /// All of its text, without parentheses around it.
    pub(crate) span: Span,
    /// The place that messages about it name: an operator's sign, the point of a member, the bracket of a call.
    pub(crate) at: Span,
    /// Levels of the tree, this one included.
    pub(crate) depth: u32,
    pub(crate) kind: Kind,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Literal(Box<Literal>),
    Name(Name),
    Select(Box<Select>),
    /// `has(operand.field)`
    Has(Box<Select>),
    Index(Box<Index>),
    Call(Box<Call>),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<(Expr, Expr)>),
    /// Two or more operands; none is of the same kind itself.
    Logic(Logic, Vec<Expr>),
    /// Condition, then, otherwise.
    Conditional(Box<[Expr; 3]>),
    List(Vec<Element>),
    Map(Vec<Entry>),
    Message(Box<Message>),
    Loop(Box<Loop>),
    Bind(Box<Bind>),
    Block(Box<Block>),
}

/// A constant as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    pub(crate) value: Constant,
    /// Its text, sign and quotes included.
    pub(crate) text: String,
}

/// The value of a literal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
}

/// A name on its own.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) text: String,
    /// Written with a point before it: not looked up in the container.
    pub(crate) absolute: bool,
}

/// `operand.field`, `operand.?field`
#[derive(Clone, Debug)]
pub(crate) struct Select {
    pub(crate) operand: Expr,
    pub(crate) field: String,
    /// Written in backticks.
    pub(crate) quoted: bool,
    pub(crate) optional: bool,
}

/// `operand[key]`, `operand[?key]`
#[derive(Clone, Debug)]
pub(crate) struct Index {
    pub(crate) operand: Expr,
    pub(crate) key: Expr,
    pub(crate) optional: bool,
}

/// `function(args)`, `target.function(args)`
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) target: Option<Expr>,
    pub(crate) function: String,
    /// A free call written with a point before it.
    pub(crate) absolute: bool,
    pub(crate) args: Vec<Expr>,
    /// Where the name stands.
    pub(crate) name: Span,
}

/// Operators before an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unary {
    Not,
    Negate,
}

/// Operators between two operands, `&&` and `||` aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Binary {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// Operators that an error on one side does not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Logic {
    And,
    Or,
}

/// An element of a list: `value`, `?value`
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) optional: bool,
    pub(crate) value: Expr,
}

/// A member of a map: `key: value`, `?key: value`
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) optional: bool,
    pub(crate) key: Expr,
    pub(crate) value: Expr,
}

/// `name{field: value}`
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) name: Name,
    pub(crate) fields: Vec<Field>,
}

/// A field of a message.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) optional: bool,
    pub(crate) name: String,
    pub(crate) quoted: bool,
    pub(crate) value: Expr,
}

/// `target.form(variables, filter, body)`: the macros that name what they go through.
#[derive(Clone, Debug)]
pub(crate) struct Loop {
    pub(crate) form: Form,
    /// Written `exists_one` rather than `existsOne`.
    pub(crate) underscore: bool,
    pub(crate) range: Expr,
    /// One name, or two: index or key, and value.
    pub(crate) variables: Vec<Variable>,
    /// What elements have to pass, where a form has that and a result too.
    pub(crate) filter: Option<Expr>,
    pub(crate) body: Expr,
}

/// What a loop makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
    TransformList,
    TransformMap,
    TransformMapEntry,
    SortBy,
    OptMap,
    OptFlatMap,
}

/// A name that a macro binds.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) span: Span,
}

/// `cel.bind(variable, value, body)`
#[derive(Clone, Debug)]
pub(crate) struct Bind {
    pub(crate) variable: Variable,
    pub(crate) value: Expr,
    pub(crate) body: Expr,
}

/// `cel.block([slots], body)`: slots may read the slots before them as [`slot_name`].
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) slots: Vec<Expr>,
    pub(crate) body: Expr,
}

/// The name by which expressions read a slot of a block; nobody can write it.
pub(crate) fn slot_name(index: u64) -> String {
    format!("@index{index}")
}

/// The name of a variable that a block's tooling numbers; nobody can write it.
pub(crate) fn numbered_name(depth: u64, unique: u64) -> String {
    format!("@it:{depth}:{unique}")
}

impl Form {
    /// Its name in a program.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Form::All => "all",
            Form::Exists => "exists",
            Form::ExistsOne => "existsOne",
            Form::Map => "map",
            Form::Filter => "filter",
            Form::TransformList => "transformList",
            Form::TransformMap => "transformMap",
            Form::TransformMapEntry => "transformMapEntry",
            Form::SortBy => "sortBy",
            Form::OptMap => "optMap",
            Form::OptFlatMap => "optFlatMap",
        }
    }
}

impl Binary {
    /// As programs write it.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Binary::Equal => "==",
            Binary::NotEqual => "!=",
            Binary::Less => "<",
            Binary::LessEqual => "<=",
            Binary::Greater => ">",
            Binary::GreaterEqual => ">=",
            Binary::In => "in",
            Binary::Add => "+",
            Binary::Subtract => "-",
            Binary::Multiply => "*",
            Binary::Divide => "/",
            Binary::Modulo => "%",
        }
    }

    /// As messages name the function behind it.
    pub(crate) fn function(self) -> &'static str {
        match self {
            Binary::Equal => "_==_",
            Binary::NotEqual => "_!=_",
            Binary::Less => "_<_",
            Binary::LessEqual => "_<=_",
            Binary::Greater => "_>_",
            Binary::GreaterEqual => "_>=_",
            Binary::In => "@in",
            Binary::Add => "_+_",
            Binary::Subtract => "_-_",
            Binary::Multiply => "_*_",
            Binary::Divide => "_/_",
            Binary::Modulo => "_%_",
        }
    }
}

impl Expr {
    /// The name that the members of a path begin with.
    pub(crate) fn first_name(&self) -> Option<&Name> {
        match &self.kind {
            Kind::Name(name) => Some(name),
            Kind::Select(select) => select.operand.first_name(),
            _ => None,
        }
    }

    /// The name it spells, if it is names joined by points: `a.b.c`.
    pub(crate) fn qualified(&self) -> Option<Name> {
        match &self.kind {
            Kind::Name(name) if !name.text.starts_with('@') => Some(name.clone()),
            Kind::Select(select) if !select.quoted && !select.optional => {
                let Name { mut text, absolute } = select.operand.qualified()?;
                text.push('.');
                text += &select.field;
                Some(Name { text, absolute })
            }
            _ => None,
        }
    }

    /// Calls `visit` with every expression directly below.
    pub(crate) fn children<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr)) {
        match &self.kind {
            Kind::Literal(_) | Kind::Name(_) => {}
            Kind::Select(it) | Kind::Has(it) => visit(&it.operand),
            Kind::Index(it) => {
                visit(&it.operand);
                visit(&it.key);
            }
            Kind::Call(it) => it.target.iter().chain(&it.args).for_each(visit),
            Kind::Unary(_, it) => visit(it),
            Kind::Binary(_, it) => {
                visit(&it.0);
                visit(&it.1);
            }
            Kind::Logic(_, it) => it.iter().for_each(visit),
            Kind::Conditional(it) => it.iter().for_each(visit),
            Kind::List(it) => it.iter().for_each(|it| visit(&it.value)),
            Kind::Map(it) => it.iter().for_each(|it| {
                visit(&it.key);
                visit(&it.value);
            }),
            Kind::Message(it) => it.fields.iter().for_each(|it| visit(&it.value)),
            Kind::Loop(it) => {
                [Some(&it.range), it.filter.as_ref(), Some(&it.body)].into_iter().flatten().for_each(visit)
            }
            Kind::Bind(it) => {
                visit(&it.value);
                visit(&it.body);
            }
            Kind::Block(it) => {
                it.slots.iter().for_each(&mut *visit);
                visit(&it.body);
            }
        }
    }
}
