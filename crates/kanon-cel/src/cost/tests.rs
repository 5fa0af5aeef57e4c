//! Costs by data. Figures are those that Kubernetes' own tests state for the same schema and rule, where they do; the others
//! follow from them.

use std::sync::Arc;

use kanon_lang::{Bound, Environment, Inner, ObjectType, Type};

use super::*;
use crate::Cel;

/// A type with the largest values it may have.
type Declared = (Type, Bound);

/// What fits a request of 3 MiB.
const TEXT: u64 = 3 * 1024 * 1024 - 2;

fn scalar(of: Type) -> Declared {
    (of, Bound::default())
}

fn text(most: u64) -> Declared {
    (Type::String, Bound { most, inner: Inner::Nothing })
}

fn list((of, bound): Declared, most: u64) -> Declared {
    (Type::list(of), Bound { most, inner: Inner::Elements(Arc::new(bound)) })
}

fn map((of, bound): Declared, most: u64) -> Declared {
    (Type::map(Type::String, of), Bound { most, inner: Inner::Values(Arc::new(bound)) })
}

fn object<const N: usize>(fields: [(&str, Declared); N]) -> Declared {
    let types = fields.iter().map(|(name, (of, _))| ((*name).to_owned(), of.clone())).collect();
    let bounds = fields.into_iter().map(|(name, (_, bound))| (name.to_owned(), bound)).collect();
    let of = Type::Object(Arc::new(ObjectType { name: "object".to_owned(), fields: types }));
    (of, Bound { most: 0, inner: Inner::Fields(bounds) })
}

fn cost((of, bound): &Declared, rule: &str) -> Range {
    let env = Environment::default().with_variable("self", of.clone()).with_variable("oldSelf", of.clone());
    Cel::default().cost(rule, &env, &[bound.clone(), bound.clone()]).unwrap_or_else(|why| panic!("{rule}: {why:?}"))
}

/// `rule => most`
fn check(declared: &Declared, cases: &str) {
    for case in cases.lines().map(str::trim).filter(|it| !it.is_empty()) {
        let (rule, want) = case.rsplit_once(" => ").unwrap();
        assert_eq!(cost(declared, rule).max.to_string(), want, "{rule}");
    }
}

#[test]
fn loops_cost_their_turns() {
    check(&list(scalar(Type::Double), TEXT / 2), "self.all(x, true) => 4718591");
    check(
        &list(scalar(Type::Double), 10),
        "self.all(x, true) => 32
         self.all(x, self.all(y, true)) => 352
         self.all(x, self.all(y, self.all(z, true))) => 3552
         self.exists(x, true) => 42
         self.map(x, x) => 142
         self.filter(x, true) => 142
         self.exists_one(x, true) => 23
         [1, 2].all(x, true) => 17",
    );
    check(&map(scalar(Type::Double), 10), "self.all(x, true) => 32\nself.all(k, v, true) => 32");
    check(&list(map(scalar(Type::Double), 9), 1048575), "self.all(x, x.y == 25.2) => 6291452");
    check(&map(text(TEXT), 393215), "self.all(x, x.contains(self[x])) => 2752507");
}

#[test]
fn text_costs_its_length() {
    check(
        &text(TEXT),
        "self.contains('test') => 314574
         self.startsWith('test') => 2
         self.endsWith('test') => 2
         size(self + 'hello') > size('hello') => 314578
         self.matches('x') => 314574
         self.matches('') => 1
         ''.matches('(((((((((())))))))))[0-9]') => 7
         self.find('[0-9]+') == '' => 629147
         self.lowerAscii() == 'lower!' => 314575
         self == 'x' => 2",
    );
    check(
        &text(40),
        "self.contains('test') => 5
         self.matches('x') => 6
         self.find('[0-9]+') == '' => 11
         self.lowerAscii() == 'lower!' => 6",
    );
    check(&text(0), "self == 'x' => 1");
    check(&text(9), "self.contains('A') => 2");
}

#[test]
fn what_a_schema_gives_no_size_costs_nothing_to_compare() {
    check(&list(scalar(Type::Double), 10), "self[1] == 0.0 => 2");
    check(&list(list(scalar(Type::Double), 9), 10), "self[0][0] == -1.0 => 3");
    check(&list((Type::Dyn, text(TEXT).1), 10), "self[0] == 5 => 3");
    check(&list(text(TEXT), 10), "self[1] == self[1] => 314577");
    check(&list(map(scalar(Type::Double), 9), 10), "self[0].x > 2.0 => 4");
    check(&list((Type::Duration, text(32).1), 9), "self[0].getHours() == 2 => 4");
    check(&map((Type::Timestamp, text(32).1), 9), "self['a'] == self['b'] => 8");
    check(&map(scalar(Type::Int), 9), "oldSelf.size() == self.size() => 5\nhas(self.x) => 1");
}

#[test]
fn libraries_cost_what_kubernetes_says() {
    let texts = list(text(40), 10);
    check(&list(text(TEXT), TEXT / 3), "self.join(' ') == 'aa bb' => 329853068905");
    check(&texts, "self.join(' ') == 'aa bb' => 43\nself.isSorted() == true => 52\nself.indexOf('a') == 1 => 52");
    check(&list(text(TEXT), TEXT / 3), "self.isSorted() == true => 329854432052");
    let replaced = |most| object([("str", text(most)), ("before", text(8)), ("after", text(16))]);
    check(&replaced(TEXT), "self.str.replace(self.before, self.after) == 'does not matter' => 629154");
    check(&replaced(16), "self.str.replace(self.before, self.after) == 'does not matter' => 12");
    let split = object([("str", text(TEXT)), ("separator", text(TEXT))]);
    check(&split, "self.str.split(self.separator) == [] => 629160");
    check(
        &text(40),
        "isQuantity(self) => 2
         quantity(self).isGreaterThan(quantity('1')) => 4
         url(self).getHost() == '' => 6
         cidr('10.0.0.0/8').containsIP(self) => 10
         sets.contains(['a', 'b'], [self]) => 24
         self.reverse() == '' => 2",
    );
}

#[test]
fn operators_cost_one_and_branches_the_dearer() {
    let numbers = object([("a", scalar(Type::Int)), ("b", scalar(Type::Int)), ("c", text(100))]);
    check(
        &numbers,
        "self.a < self.b => 5
         self.a + self.b > 3 => 6
         self.a > 1 && self.b > 1 || self.a < 0 => 9
         self.a > 1 ? self.c == 'abcdefghijklmnop' : true => 7
         cel.bind(x, self.a, x > 1) => 14
         {'a': self.a}.size() == 1 => 34
         dyn(self.a) == 1 => 3
         optional.of(self.a).optMap(x, x + 1).hasValue() => 22",
    );
    assert_eq!(cost(&numbers, "self.a > 1 && self.b > 1").min, 3);
    assert_eq!(cost(&numbers, "self.a > 1 ? true : self.c.contains(self.c)").min, 3);
}

#[test]
fn no_expression_overflows() {
    let deep = list(text(u64::MAX), u64::MAX);
    let rule = "self.all(a, self.all(b, self.all(c, a.contains(b + c))))";
    assert_eq!(cost(&deep, rule).max, u64::MAX);
}
