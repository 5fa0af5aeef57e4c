//! The functions of CEL: the standard library, cel-go's extensions, Kubernetes' libraries and kro's, one file each, as typed
//! overloads. Operators are not here ([`crate::values`]), nor are macros, which bind names.
//!
//! What the front end does for a function that no signature can express:
//! - `math.greatest` and `math.least` take any number of arguments: of three and more it makes one list;
//! - `e.sortBy(x, k)` becomes `e.@sortByAssociatedKeys(e.map(x, k))`.
//!
//! Not here: `authz`, which asks a server, and what needs protobuf messages.
//!
//! Bodies take time and memory from the budget in proportion to what they read and make; a body never trusts more of its
//! arguments than [`crate::values::fits`] has checked: the first element of a list.

mod arguments;
mod convert;
mod encoders;
mod format;
mod getters;
mod kro;
mod kubernetes;
mod lists;
mod math;
mod network;
mod optionals;
pub mod pattern;
mod regex;
mod sets;
mod standard;
mod strings;

use std::sync::OnceLock;

use kanon_lang::{Context, Function, Stop, Value};

use crate::values;

/// All functions, those of one name beside each other in no particular order of names.
pub fn functions() -> &'static [Function] {
    static FUNCTIONS: OnceLock<Vec<Function>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let libraries: [fn() -> Vec<Function>; 19] = [
            standard::functions,
            convert::functions,
            getters::functions,
            optionals::functions,
            strings::functions,
            lists::functions,
            sets::functions,
            math::functions,
            encoders::functions,
            regex::functions,
            network::functions,
            kubernetes::lists::functions,
            kubernetes::regex::functions,
            kubernetes::url::functions,
            kubernetes::quantity::functions,
            kubernetes::semver::functions,
            kubernetes::format::functions,
            kro::functions,
            format::functions,
        ];
        libraries.iter().flat_map(|library| library()).collect()
    })
}

/// All functions, as a list of one's own.
pub fn all() -> Vec<Function> {
    functions().to_vec()
}

/// The overloads of the functions called `name`, methods and free ones.
pub fn of(name: &str) -> impl Iterator<Item = &'static Function> {
    functions().iter().filter(move |it| it.name == name)
}

/// The first of `overloads` whose parameters fit the arguments.
pub fn choose<'f>(mut overloads: impl Iterator<Item = &'f Function>, arguments: &[Value<'_>]) -> Option<&'f Function> {
    overloads.find(|it| {
        it.parameters.len() == arguments.len()
            && it.parameters.iter().zip(arguments).all(|(of, value)| values::fits(of, *value))
    })
}

/// Calls the function `name` of this library by the types of its arguments; the receiver of a method is the first.
///
/// # Errors
/// `no such overload`, and the function's own.
pub fn call<'a>(cx: &mut Context<'a>, name: &str, method: bool, arguments: &[Value<'a>]) -> Result<Value<'a>, Stop> {
    match choose(of(name).filter(|it| it.method == method), arguments) {
        Some(function) => (function.body)(cx, arguments),
        None => values::no_overload(cx),
    }
}

#[cfg(test)]
mod tests;
