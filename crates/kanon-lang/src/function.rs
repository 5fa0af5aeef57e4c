//! Functions that expressions may call besides those of their language: declared once, visible to every language.

use std::fmt;

use crate::{
    context::{Context, Stop},
    types::Type,
    value::Value,
};

/// A function's body. Arguments are as many as the signature has parameters; the receiver of a method is the first.
pub type Native = for<'a> fn(&mut Context<'a>, &[Value<'a>]) -> Result<Value<'a>, Stop>;

/// One overload of a function. A name may have several; the first whose parameters fit the arguments is called.
#[derive(Clone)]
pub struct Function {
    /// Its name, with its namespace if it has one: `size`, `lists.range`.
    pub name: &'static str,
    /// Called as `receiver.name(…)`; then the receiver is the first parameter.
    pub method: bool,
    /// Types of the parameters.
    pub parameters: Vec<Type>,
    /// Type of the result.
    pub result: Type,
    /// What it does.
    pub body: Native,
    /// Whether it reads the clock ([`Context::now`]).
    pub clock: bool,
}

impl Function {
    /// `name(parameters) -> result`
    pub fn free(name: &'static str, parameters: impl Into<Vec<Type>>, result: Type, body: Native) -> Function {
        Function { name, method: false, parameters: parameters.into(), result, body, clock: false }
    }

    /// `parameters[0].name(parameters[1..]) -> result`
    pub fn method(name: &'static str, parameters: impl Into<Vec<Type>>, result: Type, body: Native) -> Function {
        Function { name, method: true, parameters: parameters.into(), result, body, clock: false }
    }
}

impl Function {
    /// The same function, which reads the clock: programs that call it are given the time, and it is never run before.
    #[must_use]
    pub fn with_clock(self) -> Function {
        Function { clock: true, ..self }
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<String> = self.parameters.iter().map(Type::to_string).collect();
        match (self.method, parameters.split_first()) {
            (true, Some((receiver, rest))) => write!(out, "{receiver}.{}({})", self.name, rest.join(", "))?,
            _ => write!(out, "{}({})", self.name, parameters.join(", "))?,
        }
        write!(out, " -> {}", self.result)
    }
}
