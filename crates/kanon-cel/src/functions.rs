//! Every function and operator that programs may use, by name. Built once per language; what an environment adds is looked at
//! beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kanon_lang::{Function, Type};

use crate::ast::{Binary, Logic, Unary};

/// Parameters and result of an operator.
pub(crate) type Signature = (Vec<Type>, Type);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    free: BTreeMap<&'static str, Vec<Arc<Function>>>,
    methods: BTreeMap<&'static str, Vec<Arc<Function>>>,
    operators: BTreeMap<&'static str, Vec<Signature>>,
    /// Names of types that the functions bring.
    types: BTreeMap<&'static str, Type>,
    /// What names with points in them begin with.
    namespaces: BTreeSet<&'static str>,
}

/// Names of operators as messages show them.
pub(crate) const INDEX: &str = "_[_]";
pub(crate) const OPTIONAL_INDEX: &str = "_[?_]";
pub(crate) const CONDITIONAL: &str = "_?_:_";

impl Unary {
    pub(crate) fn function(self) -> &'static str {
        match self {
            Unary::Not => "!_",
            Unary::Negate => "-_",
        }
    }
}

impl Logic {
    pub(crate) fn function(self) -> &'static str {
        match self {
            Logic::And => "_&&_",
            Logic::Or => "_||_",
        }
    }
}

impl Functions {
    /// The operators, and these functions.
    pub(crate) fn new(functions: impl IntoIterator<Item = Function>) -> Functions {
        let mut out = Functions { operators: operators(), types: standard_types(), ..Functions::default() };
        for function in functions {
            for ty in function.parameters.iter().chain([&function.result]) {
                out.note(ty);
            }
            let names = if function.method { &mut out.methods } else { &mut out.free };
            names.entry(function.name).or_default().push(Arc::new(function));
        }
        let pointed = out.free.keys().chain(out.types.keys()).filter_map(|it| it.split_once('.'));
        out.namespaces = pointed.map(|it| it.0).collect();
        out
    }

    fn note(&mut self, ty: &Type) {
        match ty {
            Type::Opaque(name) => {
                self.types.insert(name, ty.clone());
            }
            Type::List(it) | Type::Optional(it) | Type::Type(it) => self.note(it),
            Type::Map(key, value) => {
                self.note(key);
                self.note(value);
            }
            _ => {}
        }
    }

    /// Overloads of a function or, with a receiver, a method.
    pub(crate) fn overloads(&self, name: &str, method: bool) -> &[Arc<Function>] {
        let names = if method { &self.methods } else { &self.free };
        names.get(name).map_or(&[], Vec::as_slice)
    }

    /// Overloads of an operator.
    pub(crate) fn operator(&self, name: &str) -> &[Signature] {
        self.operators.get(name).map_or(&[], Vec::as_slice)
    }

    /// A type by its name, with the name as it is kept.
    pub(crate) fn type_named(&self, name: &str) -> Option<(&'static str, &Type)> {
        self.types.get_key_value(name).map(|(name, ty)| (*name, ty))
    }

    /// Whether any name with a point in it begins like this.
    pub(crate) fn is_namespace(&self, first: &str) -> bool {
        self.namespaces.contains(first)
    }

    /// All names of functions or methods.
    pub(crate) fn names(&self, method: bool) -> impl Iterator<Item = &'static str> + '_ {
        if method { &self.methods } else { &self.free }.keys().copied()
    }
}

fn standard_types() -> BTreeMap<&'static str, Type> {
    let dynamic = || Type::Dyn;
    [
        ("bool", Type::Bool),
        ("bytes", Type::Bytes),
        ("double", Type::Double),
        ("google.protobuf.Duration", Type::Duration),
        ("google.protobuf.Timestamp", Type::Timestamp),
        ("int", Type::Int),
        ("list", Type::list(dynamic())),
        ("map", Type::map(dynamic(), dynamic())),
        ("null_type", Type::Null),
        ("optional_type", Type::optional(dynamic())),
        ("string", Type::String),
        ("type", Type::Type(Arc::new(dynamic()))),
        ("uint", Type::UInt),
    ]
    .into()
}

/// Binary operators have no overload for two numbers of different types: where types are known, that is a mistake.
fn operators() -> BTreeMap<&'static str, Vec<Signature>> {
    use Type::{Bool, Bytes, Double, Duration, Int, String, Timestamp, UInt};
    let a = || Type::Param("A");
    let b = || Type::Param("B");
    let numbers = || [Int, UInt, Double].map(|it| (vec![it.clone(), it.clone()], it));
    let mut add: Vec<Signature> = numbers().into();
    add.extend([String, Bytes, Duration, Type::list(a())].map(|it| (vec![it.clone(), it.clone()], it)));
    add.extend([[Timestamp, Duration], [Duration, Timestamp]].map(|it| (it.to_vec(), Timestamp)));
    let mut subtract: Vec<Signature> = numbers().into();
    subtract.extend([
        (vec![Duration, Duration], Duration),
        (vec![Timestamp, Duration], Timestamp),
        (vec![Timestamp, Timestamp], Duration),
    ]);
    let ordered = [Bool, Int, UInt, Double, String, Bytes, Timestamp, Duration];
    let order: Vec<Signature> = ordered.map(|it| (vec![it.clone(), it], Bool)).into();
    let list = || Type::list(a());
    let map = || Type::map(a(), b());
    let index = |result: fn(Type) -> Type| {
        vec![
            (vec![list(), Int], result(a())),
            (vec![map(), a()], result(b())),
            (vec![Type::optional(list()), Int], Type::optional(a())),
            (vec![Type::optional(map()), a()], Type::optional(b())),
        ]
    };
    let mut out = BTreeMap::from([
        (Binary::Add.function(), add),
        (Binary::Subtract.function(), subtract),
        (Binary::Multiply.function(), numbers().into()),
        (Binary::Divide.function(), numbers().into()),
        (Binary::Modulo.function(), [Int, UInt].map(|it| (vec![it.clone(), it.clone()], it)).into()),
        (Binary::In.function(), vec![(vec![a(), list()], Bool), (vec![a(), map()], Bool)]),
        (Unary::Not.function(), vec![(vec![Bool], Bool)]),
        (Unary::Negate.function(), vec![(vec![Int], Int), (vec![Double], Double)]),
        (INDEX, index(|it| it)),
        (OPTIONAL_INDEX, index(Type::optional)),
        (CONDITIONAL, vec![(vec![Bool, a(), a()], a())]),
    ]);
    for operator in [Binary::Equal, Binary::NotEqual] {
        out.insert(operator.function(), vec![(vec![a(), a()], Bool)]);
    }
    for operator in [Binary::Less, Binary::LessEqual, Binary::Greater, Binary::GreaterEqual] {
        out.insert(operator.function(), order.clone());
    }
    for logic in [Logic::And, Logic::Or] {
        out.insert(logic.function(), vec![(vec![Bool, Bool], Bool)]);
    }
    out
}
