//! Which overload a call or an operator takes, and what it gives.

use std::sync::Arc;

use kanon_lang::{Diagnostic, Function, Span, Type};

use super::{Checker, Pass, Reference, names::candidates, no_overload, types::Ty};
use crate::{
    ast::{Call, Expr, Name},
    suggest::nearest,
};

impl Checker<'_> {
    pub(super) fn call(&mut self, call: &Call, expr: &Expr) -> Ty {
        let Some(target) = &call.target else {
            let name = Name { text: call.function.clone(), absolute: call.absolute };
            let overloads = self.free(&name);
            return self.free_call(call, expr, &name, overloads);
        };
        // `math.greatest(1, 2)`: the target may be part of the function's name.
        if self.may_be_pointed(target)
            && let Some(mut name) = target.qualified()
        {
            name.text = format!("{}.{}", name.text, call.function);
            let overloads = self.free(&name);
            if !overloads.is_empty() {
                return self.free_call(call, expr, &name, overloads);
            }
        }
        let mut args = vec![self.expr(target)];
        for arg in &call.args {
            let ty = self.expr(arg);
            args.push(ty);
        }
        let overloads = self.overloads(&call.function, true);
        self.choose(call, expr, overloads, &args, Pass::Receiver)
    }

    /// The overloads of a name; those of the environment come last.
    fn overloads(&self, name: &str, method: bool) -> Vec<Arc<Function>> {
        let own = self.env.functions.iter().filter(|it| it.method == method && it.name == name);
        self.functions.overloads(name, method).iter().cloned().chain(own.map(|it| Arc::new(it.clone()))).collect()
    }

    /// The overloads of a free function that a name means in the container.
    fn free(&self, name: &Name) -> Vec<Arc<Function>> {
        candidates(self.rules.container, name)
            .iter()
            .map(|it| self.overloads(it, false))
            .find(|it| !it.is_empty())
            .unwrap_or_default()
    }

    fn free_call(&mut self, call: &Call, expr: &Expr, name: &Name, overloads: Vec<Arc<Function>>) -> Ty {
        let args: Vec<Ty> = call.args.iter().map(|it| self.expr(it)).collect();
        // These two take any number of arguments, which no signature says: more than two are a list.
        if args.len() > 2 && matches!(name.text.as_str(), "math.greatest" | "math.least") {
            let joined = args.into_iter().fold(None, |joined, it| Some(self.join(joined, it)));
            return self.choose(call, expr, overloads, &[Ty::list(joined.unwrap_or(Ty::Dyn))], Pass::Packed);
        }
        self.choose(call, expr, overloads, &args, Pass::Plain)
    }

    /// Notes the overloads that the arguments fit, and says what they give.
    fn choose(&mut self, call: &Call, expr: &Expr, overloads: Vec<Arc<Function>>, args: &[Ty], pass: Pass) -> Ty {
        let receiver = pass == Pass::Receiver;
        if overloads.is_empty() {
            if self.listens() {
                let near = self.near_function(&call.function, receiver);
                self.undeclared(&call.function, expr.at, near);
            }
            self.missing(expr, format!("unbound function: {}", call.function));
            return Ty::Error;
        }
        if args.contains(&Ty::Error) {
            self.refer(expr, Reference::Function { overloads, pass });
            return Ty::Error;
        }
        let signatures = overloads.iter().map(|it| (it.parameters.as_slice(), &it.result));
        let (result, fitting) = self.fitting(signatures, args);
        let fitting: Vec<_> = fitting.into_iter().filter_map(|at| overloads.get(at).cloned()).collect();
        let Some(result) = result else {
            self.does_not_fit(&call.function, args, receiver, expr.at);
            // An unchecked program finds out by itself.
            self.refer(expr, Reference::Function { overloads, pass });
            return Ty::Error;
        };
        self.refer(expr, Reference::Function { overloads: fitting, pass });
        result
    }

    fn near_function(&self, name: &str, method: bool) -> Option<String> {
        let own = self.env.functions.iter().filter(|it| it.method == method).map(|it| it.name);
        let near = nearest(name, self.functions.names(method).chain(own)).map(str::to_owned);
        // The other way of calling is a usual mistake.
        near.or_else(|| {
            let other = self.overloads(name, !method);
            let takes_more = other.iter().any(|it| !it.parameters.is_empty());
            takes_more.then(|| if method { format!("{name}(…)") } else { format!("value.{name}(…)") })
        })
    }

    /// What an operator gives for operands of these types.
    pub(super) fn operator(&mut self, name: &str, args: &[Ty], at: Span) -> Ty {
        if args.contains(&Ty::Error) {
            return Ty::Error;
        }
        let signatures = self.functions.operator(name).iter().map(|it| (it.0.as_slice(), &it.1));
        let (result, _) = self.fitting(signatures, args);
        result.unwrap_or_else(|| {
            self.does_not_fit(name, args, false, at);
            Ty::Error
        })
    }

    /// What the signatures that the arguments fit give together, and which they are. What is not known yet of the arguments
    /// is only taken to be what a signature asks for when it is the only one that fits.
    fn fitting<'s>(
        &mut self,
        signatures: impl Iterator<Item = (&'s [Type], &'s Type)>,
        args: &[Ty],
    ) -> (Option<Ty>, Vec<usize>) {
        let mut result = None;
        let mut last = None;
        let mut fitting = Vec::new();
        for (at, signature) in signatures.enumerate() {
            let Some(ty) = self.attempt(signature, args) else { continue };
            self.bindings.undo();
            result = match result {
                Some(before) if before != ty => Some(Ty::Dyn),
                _ => Some(ty),
            };
            fitting.push(at);
            last = Some(signature);
        }
        match (last, fitting.len()) {
            (Some(signature), 1) => (self.attempt(signature, args), fitting),
            _ => (result, fitting),
        }
    }

    /// The result of an overload, if the arguments fit it.
    fn attempt(&mut self, (parameters, result): (&[Type], &Type), args: &[Ty]) -> Option<Ty> {
        if parameters.len() != args.len() {
            return None;
        }
        let mut named: Vec<(&'static str, Ty)> = Vec::new();
        let bindings = &mut self.bindings;
        let mut parameter = |name: &'static str| match named.iter().find(|it| it.0 == name) {
            Some((_, ty)) => ty.clone(),
            None => {
                let ty = bindings.fresh();
                named.push((name, ty.clone()));
                ty
            }
        };
        let parameters: Vec<Ty> = parameters.iter().map(|it| Ty::of(it, &mut parameter)).collect();
        let result = Ty::of(result, &mut parameter);
        let fits = self.bindings.all_assignable(args.iter().zip(&parameters));
        fits.then(|| self.bindings.resolve(&result))
    }

    fn does_not_fit(&mut self, name: &str, args: &[Ty], method: bool, at: Span) {
        let args: Vec<Ty> = args.iter().map(|it| self.bindings.resolve(it)).collect();
        let message = no_overload(name, &args, method);
        let help = match args.as_slice() {
            [a, b] if name.starts_with('_') && is_number(a) && is_number(b) => {
                Some(format!("convert one of them: `{b}(…)`"))
            }
            _ => None,
        };
        self.report(Diagnostic { message, span: at, help });
    }
}

fn is_number(ty: &Ty) -> bool {
    matches!(ty, Ty::Int | Ty::UInt | Ty::Double)
}
