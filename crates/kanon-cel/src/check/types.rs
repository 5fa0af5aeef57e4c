//! Types while they are being found: with variables for what is not known yet, and which type may stand where another is
//! asked for. The rules are cel-go's.

use std::{fmt, sync::Arc};

use kanon_lang::{ObjectType, Type};

/// A type with variables.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ty {
    /// What an expression with a mistake has: it fits everywhere, so that one mistake makes one message.
    Error,
    Dyn,
    /// Not known yet: an index into [`Bindings`].
    Var(u32),
    Null,
    Bool,
    Int,
    UInt,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    List(Arc<Ty>),
    Map(Arc<Ty>, Arc<Ty>),
    Type(Arc<Ty>),
    Optional(Arc<Ty>),
    Opaque(&'static str),
    Object(Arc<ObjectType>),
}

/// How many parts a type may have. Larger ones, which only programs made for it have, are dynamic.
const MAX_SIZE: usize = 64;

impl Ty {
    pub(super) fn list(element: Ty) -> Ty {
        Ty::List(Arc::new(element)).bounded()
    }

    pub(super) fn map(key: Ty, value: Ty) -> Ty {
        Ty::Map(Arc::new(key), Arc::new(value)).bounded()
    }

    pub(super) fn optional(value: Ty) -> Ty {
        Ty::Optional(Arc::new(value)).bounded()
    }

    fn bounded(self) -> Ty {
        let mut left = MAX_SIZE;
        if self.count(&mut left) { self } else { Ty::Dyn }
    }

    fn count(&self, left: &mut usize) -> bool {
        if *left == 0 {
            return false;
        }
        *left -= 1;
        match self {
            Ty::List(it) | Ty::Type(it) | Ty::Optional(it) => it.count(left),
            Ty::Map(key, value) => key.count(left) && value.count(left),
            _ => true,
        }
    }

    pub(super) fn is_dyn(&self) -> bool {
        matches!(self, Ty::Dyn | Ty::Error)
    }

    /// Whether null may stand for it.
    fn is_nullable(&self) -> bool {
        matches!(self, Ty::Null | Ty::Optional(_) | Ty::Opaque(_) | Ty::Object(_) | Ty::Timestamp | Ty::Duration)
    }

    /// A declared type; its parameters, if it has any, become the variables that `parameter` gives them.
    pub(super) fn of(declared: &Type, parameter: &mut dyn FnMut(&'static str) -> Ty) -> Ty {
        match declared {
            Type::Dyn => Ty::Dyn,
            Type::Null => Ty::Null,
            Type::Bool => Ty::Bool,
            Type::Int => Ty::Int,
            Type::UInt => Ty::UInt,
            Type::Double => Ty::Double,
            Type::String => Ty::String,
            Type::Bytes => Ty::Bytes,
            Type::Timestamp => Ty::Timestamp,
            Type::Duration => Ty::Duration,
            Type::List(it) => Ty::List(Arc::new(Ty::of(it, parameter))),
            Type::Map(key, value) => {
                let key = Ty::of(key, parameter);
                Ty::Map(Arc::new(key), Arc::new(Ty::of(value, parameter)))
            }
            Type::Optional(it) => Ty::Optional(Arc::new(Ty::of(it, parameter))),
            Type::Type(it) => Ty::Type(Arc::new(Ty::of(it, parameter))),
            Type::Opaque(name) => Ty::Opaque(name),
            Type::Object(it) => Ty::Object(it.clone()),
            Type::Param(name) => parameter(name),
        }
    }

    /// Without variables: what is not known is dynamic.
    pub(super) fn to_type(&self) -> Type {
        match self {
            Ty::Error | Ty::Dyn | Ty::Var(_) => Type::Dyn,
            Ty::Null => Type::Null,
            Ty::Bool => Type::Bool,
            Ty::Int => Type::Int,
            Ty::UInt => Type::UInt,
            Ty::Double => Type::Double,
            Ty::String => Type::String,
            Ty::Bytes => Type::Bytes,
            Ty::Timestamp => Type::Timestamp,
            Ty::Duration => Type::Duration,
            Ty::List(it) => Type::list(it.to_type()),
            Ty::Map(key, value) => Type::map(key.to_type(), value.to_type()),
            Ty::Optional(it) => Type::optional(it.to_type()),
            Ty::Type(it) => Type::Type(Arc::new(it.to_type())),
            Ty::Opaque(name) => Type::Opaque(name),
            Ty::Object(it) => Type::Object(it.clone()),
        }
    }

    /// Whether it says at most as much as `other`.
    fn is_less_specific(&self, other: &Ty) -> bool {
        match (self, other) {
            (Ty::Dyn | Ty::Error | Ty::Var(_), _) => true,
            (_, Ty::Dyn | Ty::Error | Ty::Var(_)) => false,
            (Ty::List(a), Ty::List(b)) | (Ty::Optional(a), Ty::Optional(b)) => a.is_less_specific(b),
            (Ty::Map(key, value), Ty::Map(other_key, other_value)) => {
                key.is_less_specific(other_key) && value.is_less_specific(other_value)
            }
            (Ty::Type(_), Ty::Type(_)) => true,
            (a, b) => a == b,
        }
    }

    /// The more general of two types that fit each other.
    pub(super) fn most_general(a: &Ty, b: &Ty) -> Ty {
        if a.is_less_specific(b) { a.clone() } else { b.clone() }
    }
}

/// As cel-go prints types.
impl fmt::Display for Ty {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ty::Error => out.write_str("!error!"),
            Ty::Dyn | Ty::Var(_) => out.write_str("dyn"),
            Ty::List(it) => write!(out, "list({it})"),
            Ty::Map(key, value) => write!(out, "map({key}, {value})"),
            Ty::Optional(it) => write!(out, "optional_type({it})"),
            Ty::Type(it) => write!(out, "type({it})"),
            it => it.to_type().fmt(out),
        }
    }
}

/// What variables stand for, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    variables: Vec<Option<Ty>>,
    /// What was changed, to take attempts back.
    log: Vec<(u32, Option<Ty>)>,
}

impl Bindings {
    pub(super) fn fresh(&mut self) -> Ty {
        self.variables.push(None);
        Ty::Var(self.variables.len() as u32 - 1)
    }

    fn find(&self, variable: u32) -> Option<&Ty> {
        self.variables.get(variable as usize)?.as_ref()
    }

    fn bind(&mut self, variable: u32, ty: Ty) {
        if let Some(slot) = self.variables.get_mut(variable as usize) {
            self.log.push((variable, slot.replace(ty)));
        }
    }

    /// Whether values of `from` may stand where `to` is asked for; if so, variables are bound accordingly.
    pub(super) fn assignable(&mut self, from: &Ty, to: &Ty) -> bool {
        self.all_assignable(std::iter::once((from, to)))
    }

    /// The same of several at once: all or none.
    pub(super) fn all_assignable<'t>(&mut self, pairs: impl Iterator<Item = (&'t Ty, &'t Ty)>) -> bool {
        self.log.clear();
        for (from, to) in pairs {
            if !self.fits(from, to) {
                self.undo();
                return false;
            }
        }
        true
    }

    /// Takes back what the last question has bound.
    pub(super) fn undo(&mut self) {
        while let Some((variable, before)) = self.log.pop() {
            if let Some(slot) = self.variables.get_mut(variable as usize) {
                *slot = before;
            }
        }
    }

    fn fits(&mut self, from: &Ty, to: &Ty) -> bool {
        if let Ty::Var(variable) = to {
            match self.substitutes(*variable, from) {
                (true, _) => return true,
                (false, true) => return false,
                (false, false) => {}
            }
        }
        if let Ty::Var(variable) = from {
            return self.substitutes(*variable, to).0;
        }
        match (from, to) {
            (from, to) if from.is_dyn() || to.is_dyn() => true,
            (Ty::Null, to) => to.is_nullable(),
            (Ty::List(a), Ty::List(b)) | (Ty::Optional(a), Ty::Optional(b)) => self.fits(a, b),
            (Ty::Map(key, value), Ty::Map(to_key, to_value)) => self.fits(key, to_key) && self.fits(value, to_value),
            (Ty::Type(_), Ty::Type(_)) => true,
            (Ty::Object(a), Ty::Object(b)) => Arc::ptr_eq(a, b) || a == b,
            (a, b) => a == b,
        }
    }

    /// Whether `variable` may stand for `ty`, and whether it stood for something before.
    fn substitutes(&mut self, variable: u32, ty: &Ty) -> (bool, bool) {
        if let Some(known) = self.find(variable).cloned() {
            if known == *ty {
                return (true, true);
            }
            if self.fits(ty, &known) {
                let general = Ty::most_general(ty, &known);
                // A variable never stands for itself.
                if general != Ty::Var(variable) {
                    self.bind(variable, general);
                }
                return (true, true);
            }
            return (false, true);
        }
        if *ty == Ty::Var(variable) {
            return (true, false);
        }
        if self.occurs(variable, ty) {
            return (false, false);
        }
        self.bind(variable, ty.clone());
        (true, false)
    }

    fn occurs(&self, variable: u32, within: &Ty) -> bool {
        match within {
            Ty::Var(other) => *other == variable || self.find(*other).is_some_and(|it| self.occurs(variable, it)),
            Ty::List(it) | Ty::Optional(it) | Ty::Type(it) => self.occurs(variable, it),
            Ty::Map(key, value) => self.occurs(variable, key) || self.occurs(variable, value),
            _ => false,
        }
    }

    /// The type with everything put in that is known.
    pub(super) fn resolve(&self, ty: &Ty) -> Ty {
        match ty {
            Ty::Var(variable) => self.find(*variable).map_or_else(|| ty.clone(), |it| self.resolve(it)),
            Ty::List(it) => Ty::list(self.resolve(it)),
            Ty::Optional(it) => Ty::optional(self.resolve(it)),
            Ty::Map(key, value) => Ty::map(self.resolve(key), self.resolve(value)),
            Ty::Type(it) => Ty::Type(Arc::new(self.resolve(it))).bounded(),
            _ => ty.clone(),
        }
    }
}
