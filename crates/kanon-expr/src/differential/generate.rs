//! Random programs: well-formed, and mostly of types that fit, since what fails at the first step tries nothing behind it.

use super::objects::{NAMES, Random, TEXTS};

/// What a program is wanted to give.
#[derive(Clone, Copy, PartialEq)]
enum Want {
    Any,
    Bool,
    Number,
    Text,
    List,
    Map,
}

/// Writes one program.
pub(crate) struct Generator<'r> {
    random: &'r mut Random,
    out: String,
    /// Open predicates, and whether each has `#index` and `#acc`.
    scopes: Vec<(bool, bool)>,
    /// `let` variables in scope.
    locals: u64,
    /// How many parts may still be written.
    fuel: i64,
}

impl Generator<'_> {
    pub(crate) fn program(random: &mut Random) -> String {
        let fuel = 4 + random.below(40) as i64;
        let mut generator = Generator { random, out: String::new(), scopes: Vec::new(), locals: 0, fuel };
        let want = match generator.random.below(3) {
            0 => Want::Any,
            _ => Want::Bool,
        };
        generator.expression(want);
        generator.out
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// An expression that can stand anywhere.
    fn expression(&mut self, want: Want) {
        self.fuel -= 1;
        if self.fuel <= 0 {
            return self.leaf(want);
        }
        // Types that do not fit must be met too.
        let want = if self.random.one_in(12) { Want::Any } else { want };
        match self.random.below(14) {
            0 | 1 => self.leaf(want),
            2 => self.conditional(want),
            3 => self.coalesce(want),
            4 => self.declaration(want),
            _ => match want {
                Want::Bool => self.bool(),
                Want::Number => self.number(),
                Want::Text => self.text(),
                Want::List => self.list(),
                Want::Map => self.map(),
                Want::Any => self.any(),
            },
        }
    }

    fn bracketed(&mut self, want: Want) {
        self.put("(");
        self.expression(want);
        self.put(")");
    }

    fn leaf(&mut self, want: Want) {
        if !self.scopes.is_empty() && self.random.one_in(2) {
            return self.pointer(want);
        }
        if self.locals > 0 && self.random.one_in(4) {
            let local = self.random.below(self.locals);
            return self.put(&format!("v{local}"));
        }
        if self.random.one_in(2) {
            return self.path(want);
        }
        match want {
            Want::Bool => {
                let text = self.random.pick(&["true", "false"]);
                self.put(text);
            }
            Want::Number => {
                let text = self.random.pick(&["0", "1", "2", "3", "4", "-1", "7", "0x10"]);
                let text = if self.random.one_in(8) {
                    self.random.pick(&["0.5", "9223372036854775807", "1e300"])
                } else {
                    text
                };
                self.put(text);
            }
            Want::Text => {
                let text = self.random.pick(TEXTS);
                self.put(&format!("{text:?}"));
            }
            Want::List => {
                let text =
                    self.random.pick(&["xs", "o.xs", "(o.xs ?? [])", "(xs ?? [])", "(o?.m?.xs ?? [])", "[o, o.m]"]);
                let literals = &["[]", "[1, 2, 3]", "[\"a\", \"b\"]", "1..4", "[nil, 1.5, true]"];
                let text = if self.random.one_in(6) { self.random.pick(literals) } else { text };
                self.put(text);
            }
            Want::Map => {
                let text = self.random.pick(&["{}", "{a: 1}", "o", "r", "{\"a\": [1], \"name\": \"x\"}", "$env"]);
                self.put(text);
            }
            Want::Any => {
                let text =
                    self.random.pick(&["nil", "a", "b", "o", "xs", "r", "unknown", "1", "\"a\"", "$env", "b'ab'"]);
                self.put(text);
            }
        }
    }

    fn pointer(&mut self, want: Want) {
        let (index, accumulator) = self.scopes.last().copied().unwrap_or_default();
        match self.random.below(6) {
            0 if index => self.put("#index"),
            1 | 2 if accumulator => self.put("#acc"),
            3 => self.put("#"),
            _ => {
                let name = self.name(want);
                let form = self.random.pick(&["#?.", "#?.", "#.", "."]);
                self.put(&format!("{form}{name}"));
            }
        }
    }

    /// A name that promises what is wanted.
    fn name(&mut self, want: Want) -> &'static str {
        match want {
            _ if self.random.one_in(5) => self.random.pick(NAMES),
            Want::Any => self.random.pick(NAMES),
            Want::Bool => "b",
            Want::Number => "a",
            Want::Text => "name",
            Want::List => "xs",
            Want::Map => "m",
        }
    }

    fn path(&mut self, want: Want) {
        let base =
            self.random.pick(&["o", "o", "o", "o", "r", "$env", "o.m", "o?.m", "(first(xs) ?? {})", "b", "a", "xs"]);
        self.put(base);
        if self.random.one_in(6) {
            self.step();
            self.steps();
        }
        let name = self.name(want);
        let form = self.random.pick(&["?.", "?.", "."]);
        self.put(&format!("{form}{name}"));
    }

    fn steps(&mut self) {
        while self.random.one_in(3) {
            self.step();
        }
    }

    fn step(&mut self) {
        let name = self.random.pick(NAMES);
        match self.random.below(12) {
            0 => self.put("[0]"),
            1 => self.put("[-1]"),
            2 => self.put(&format!("[\"{name}\"]")),
            3 => self.put(&format!("?.[\"{name}\"]")),
            4 if self.fuel > 0 => {
                self.put("[");
                self.expression(Want::Number);
                self.put("]");
            }
            5 if self.fuel > 0 => {
                let form = self.random.pick(&[".f(", "?.f(", ".name(", ".doubled("]);
                self.put(form);
                if form != ".doubled(" {
                    self.expression(Want::Any);
                }
                self.put(")");
            }
            6..=8 => self.put(&format!("?.{name}")),
            _ => self.put(&format!(".{name}")),
        }
    }

    fn conditional(&mut self, want: Want) {
        match self.random.below(3) {
            0 => {
                self.put("if ");
                self.expression(Want::Bool);
                self.put(" {");
                self.expression(want);
                self.put("} else {");
                self.expression(want);
                self.put("}");
            }
            1 => {
                self.put("(");
                self.bracketed(Want::Bool);
                self.put(" ? ");
                self.bracketed(want);
                self.put(" : ");
                self.bracketed(want);
                self.put(")");
            }
            _ => {
                self.put("(");
                self.bracketed(Want::Bool);
                self.put(" ?: ");
                self.bracketed(want);
                self.put(")");
            }
        }
    }

    fn coalesce(&mut self, want: Want) {
        self.put("(");
        self.bracketed(want);
        for _ in 0..=self.random.below(2) {
            self.put(" ?? ");
            self.bracketed(want);
        }
        self.put(")");
    }

    fn declaration(&mut self, want: Want) {
        let local = self.locals;
        self.put(&format!("(let v{local} = "));
        self.expression(Want::Any);
        self.put("; ");
        self.locals += 1;
        self.expression(want);
        self.locals -= 1;
        self.put(")");
    }

    fn binary(&mut self, left: Want, operators: &[&str], right: Want) {
        self.bracketed(left);
        let operator = self.random.pick(operators);
        self.put(&format!(" {operator} "));
        self.bracketed(right);
    }

    fn bool(&mut self) {
        match self.random.below(15) {
            0 => {
                self.put("!");
                self.bracketed(Want::Bool);
            }
            1 | 2 => {
                let operator = self.random.pick(&[" && ", " || ", " and "]);
                self.bracketed(Want::Bool);
                for _ in 0..=self.random.below(2) {
                    self.put(operator);
                    self.bracketed(Want::Bool);
                }
            }
            3 => self.binary(Want::Any, &["==", "!="], Want::Any),
            4 => {
                let of = if self.random.one_in(2) { Want::Number } else { Want::Text };
                self.binary(of, &["<", "<=", ">", ">=", "==", "!="], of);
            }
            5 => {
                self.binary(Want::Number, &["<", "<="], Want::Number);
                self.put(" <= ");
                self.bracketed(Want::Number);
            }
            6 => self.binary(Want::Text, &["contains", "startsWith", "endsWith", "not contains"], Want::Text),
            7 => {
                self.bracketed(Want::Text);
                let pattern = self.random.pick(&["'^a'", "'b$'", "'[a-c]+'", "''", "o.name"]);
                self.put(&format!(" matches {pattern}"));
            }
            8 => self.binary(Want::Any, &["in", "not in"], Want::List),
            9 => self.binary(Want::Text, &["in", "not in"], Want::Map),
            10 => {
                self.bracketed(Want::Text);
                self.put(" in [\"a\", \"name\", \"\"]");
            }
            11 => {
                let name = self.random.pick(&["all", "any", "none", "one"]);
                self.over(name, false, Want::Bool);
            }
            12 => self.kubernetes(),
            13 => {
                self.over("count", false, Want::Bool);
                let bound = self.random.pick(&[" > 0", " >= 1", " > 1", " >= 2", " == 1"]);
                self.put(bound);
            }
            _ => {
                let name = self.random.pick(&["hasPrefix", "hasSuffix", "regexMatch"]);
                self.call(name, &[Want::Text, Want::Text]);
            }
        }
    }

    /// Functions of `k8s`.
    fn kubernetes(&mut self) {
        match self.random.below(5) {
            0 => {
                self.quantity();
                let operator = self.random.pick(&[" < ", " == ", " >= ", " != "]);
                self.put(operator);
                self.quantity();
            }
            1 => {
                let versions = &["k8s.semver(\"1.2.3\")", "k8s.semver(\"v1.2\", true)", "k8s.semver(o.name)"];
                let left = self.random.pick(versions);
                let right = self.random.pick(versions);
                self.put(&format!("{left} <= {right}"));
            }
            2 => {
                let ranges = ["\"10.0.0.0/8\"", "\"10.1.0.0/16\"", "\"10.2.3.4\"", "\"fc00::/7\"", "o.name"];
                let (left, right) = (self.random.pick(&ranges), self.random.pick(&ranges));
                self.put(&format!("k8s.cidrContains({left}, {right})"));
            }
            3 => self.call("k8s.selectorMatches", &[Want::Map, Want::Map]),
            _ => {
                let program = self.random.pick(&[
                    "len(k8s.containers(o)) == len(k8s.containers(a))",
                    "k8s.podSpec(o) == nil",
                    "k8s.image(o.name).tag == \"latest\"",
                    "any(k8s.containers({spec: o}), .name == \"a\")",
                ]);
                self.put(program);
            }
        }
    }

    fn quantity(&mut self) {
        self.put("(k8s.quantity(");
        let want = if self.random.one_in(2) { Want::Number } else { Want::Text };
        self.expression(want);
        let rest = self.random.pick(&[")", ") + 1", ") - k8s.quantity(\"1500m\")", ") + o.a"]);
        self.put(rest);
        self.put(")");
    }

    /// A built-in with a predicate over a list.
    fn over(&mut self, name: &str, index: bool, body: Want) {
        self.put(&format!("{name}("));
        self.expression(Want::List);
        self.put(", ");
        self.predicate((index, false), body);
        self.put(")");
    }

    fn predicate(&mut self, scope: (bool, bool), body: Want) {
        self.scopes.push(scope);
        let braces = self.random.one_in(2);
        self.put(if braces { "{" } else { "(" });
        self.expression(body);
        self.put(if braces { "}" } else { ")" });
        self.scopes.pop();
    }

    fn call(&mut self, name: &str, args: &[Want]) {
        self.put(&format!("{name}("));
        for (at, arg) in args.iter().enumerate() {
            self.put(if at == 0 { "" } else { ", " });
            self.expression(*arg);
        }
        self.put(")");
    }

    fn number(&mut self) {
        match self.random.below(10) {
            0 | 1 => self.binary(Want::Number, &["+", "-", "*"], Want::Number),
            2 => self.binary(Want::Number, &["/", "%", "**"], Want::Number),
            3 => {
                self.put("-");
                self.bracketed(Want::Number);
            }
            4 => {
                let of = if self.random.one_in(2) { Want::List } else { Want::Text };
                self.call("len", &[of]);
            }
            5 => match self.random.below(4) {
                0 => self.call("sum", &[Want::List]),
                1 => self.call("count", &[Want::List]),
                _ => {
                    let name = self.random.pick(&["sum", "count", "findIndex", "findLastIndex"]);
                    let body = if name == "sum" { Want::Number } else { Want::Bool };
                    self.over(name, false, body);
                }
            },
            6 => {
                let name = self.random.pick(&["abs", "ceil", "floor", "round", "int", "float", "bitnot", "twice"]);
                self.call(name, &[Want::Number]);
            }
            7 => {
                let name = self.random.pick(&["max", "min", "mean", "median"]);
                self.call(name, &[Want::Number, Want::List]);
            }
            8 => {
                self.put("sum([");
                self.expression(Want::Number);
                self.put(", ");
                self.expression(Want::Number);
                self.put(", ");
                self.expression(Want::Text);
                self.put("])");
            }
            _ => self.reduce(Want::Number),
        }
    }

    fn reduce(&mut self, want: Want) {
        self.put("reduce(");
        self.expression(Want::List);
        self.put(", ");
        self.predicate((true, true), want);
        if self.random.one_in(2) {
            self.put(", ");
            self.expression(want);
        }
        self.put(")");
    }

    fn text(&mut self) {
        match self.random.below(8) {
            0 | 1 => self.binary(Want::Text, &["+"], Want::Text),
            2 => {
                let name =
                    self.random.pick(&["upper", "lower", "trim", "string", "type", "toJSON", "twice", "k8s.twice"]);
                self.call(name, &[Want::Text]);
            }
            3 => self.call("join", &[Want::List, Want::Text]),
            4 => self.call("replace", &[Want::Text, Want::Text, Want::Text]),
            5 => {
                self.bracketed(Want::Text);
                let slice = self.random.pick(&["[1:]", "[:1]", "[:]", "[-2:5]", "[0]"]);
                self.put(slice);
            }
            6 => self.call("string", &[Want::Any]),
            _ => self.call("repeat", &[Want::Text, Want::Number]),
        }
    }

    fn list(&mut self) {
        match self.random.below(12) {
            0 => {
                self.put("[");
                for at in 0..self.random.below(4) {
                    self.put(if at == 0 { "" } else { ", " });
                    self.expression(Want::Any);
                }
                self.put("]");
            }
            1 | 2 => self.over("filter", false, Want::Bool),
            3 | 4 => self.over("map", true, Want::Any),
            5 => {
                self.put("sortBy(");
                self.expression(Want::List);
                self.put(", ");
                self.predicate((false, false), Want::Number);
                let order = self.random.pick(&["", "", ", \"desc\"", ", \"asc\"", ", o.name"]);
                self.put(order);
                self.put(")");
            }
            6 => {
                let name = self.random.pick(&["sort", "uniq", "reverse", "flatten"]);
                self.call(name, &[Want::List]);
            }
            7 => self.call("concat", &[Want::List, Want::List]),
            8 => {
                self.bracketed(Want::Number);
                self.put("..");
                self.put("3");
            }
            9 => self.call("split", &[Want::Text, Want::Text]),
            10 => {
                self.bracketed(Want::List);
                let slice = self.random.pick(&["[1:]", "[:1]", "[:]", "[-2:5]"]);
                self.put(slice);
            }
            _ => {
                let name = self.random.pick(&["keys", "values", "toPairs"]);
                self.call(name, &[Want::Map]);
            }
        }
    }

    fn map(&mut self) {
        match self.random.below(3) {
            0 => {
                self.put("{a: ");
                self.expression(Want::Any);
                self.put(", (");
                self.expression(Want::Text);
                self.put("): ");
                self.expression(Want::Any);
                self.put("}");
            }
            1 => self.over("groupBy", false, Want::Any),
            _ => self.call("fromPairs", &[Want::List]),
        }
    }

    fn any(&mut self) {
        match self.random.below(13) {
            0 => self.bool(),
            1 => self.number(),
            2 => self.text(),
            3 => self.list(),
            4 => self.map(),
            5 => {
                let name = self.random.pick(&["find", "findLast"]);
                self.over(name, false, Want::Bool);
            }
            6 => {
                self.over("filter", false, Want::Bool);
                let element = self.random.pick(&["[0]", "[-1]", "?.[0]", ""]);
                self.put(element);
            }
            7 => {
                let name = self.random.pick(&["first(", "last(", "len("]);
                self.put(name);
                if self.random.one_in(2) {
                    self.put("map(");
                    self.over("filter", false, Want::Bool);
                    self.put(", ");
                    self.predicate((true, false), Want::Any);
                    self.put(")");
                } else {
                    self.over("filter", false, Want::Bool);
                }
                self.put(")");
            }
            8 => {
                self.over("groupBy", false, Want::Any);
                let form = self.random.pick(&["[", "?.["]);
                self.put(form);
                self.expression(Want::Any);
                self.put("]");
            }
            9 => self.call("get", &[Want::Map, Want::Text]),
            10 => {
                self.bracketed(Want::List);
                let pipe = self.random.pick(&[
                    " | filter(.a == 1) | filter(.b != nil)",
                    " | map(.a) | sum()",
                    " | len()",
                    " | first()",
                ]);
                self.put(pipe);
            }
            11 => self.reduce(Want::Any),
            _ => self.path(Want::Any),
        }
    }
}
