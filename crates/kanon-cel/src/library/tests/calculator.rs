//! Reads and calculates at once: literals, operators, selection, indexes, calls of library functions. No variables, no
//! macros, no absorption of errors.

use kanon_lang::{Arena, Context, Stop, Value};

use crate::{
    library,
    values::{self, Operator, arith, compare, elements, entries, equal, map_literal, time},
};

/// The value of an expression; the outer error is the offset where it is no longer understood.
pub(super) fn evaluate<'a>(cx: &mut Context<'a>, text: &str) -> Result<Result<Value<'a>, Stop>, usize> {
    let text: &'a str = cx.arena.alloc_str(text);
    let mut calculator = Calculator { text, at: 0 };
    let value = match calculator.either(cx) {
        Ok(value) => value,
        Err(Trouble::Stop) => return Ok(Err(Stop)),
        Err(Trouble::Text) => return Err(calculator.at),
    };
    calculator.space();
    if calculator.at == text.len() { Ok(Ok(value)) } else { Err(calculator.at) }
}

enum Trouble {
    Stop,
    Text,
}

impl From<Stop> for Trouble {
    fn from(_: Stop) -> Trouble {
        Trouble::Stop
    }
}

type Outcome<T> = Result<T, Trouble>;

struct Calculator<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Calculator<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn need(&mut self, token: &str) -> Outcome<()> {
        if self.eat(token) { Ok(()) } else { Err(Trouble::Text) }
    }

    fn either(&mut self, cx: &mut Context<'a>) -> Outcome<Value<'a>> {
        let mut left = self.both(cx)?;
        while self.eat("||") {
            let right = self.both(cx)?;
            left = Value::Bool(truth(left)? | truth(right)?);
        }
        Ok(left)
    }

    fn both(&mut self, cx: &mut Context<'a>) -> Outcome<Value<'a>> {
        let mut left = self.relation(cx)?;
        while self.eat("&&") {
            let right = self.relation(cx)?;
            left = Value::Bool(truth(left)? & truth(right)?);
        }
        Ok(left)
    }

    fn relation(&mut self, cx: &mut Context<'a>) -> Outcome<Value<'a>> {
        let left = self.sum(cx)?;
        for token in ["==", "!=", "<=", ">=", "<", ">", "in "] {
            if self.eat(token) {
                let right = self.sum(cx)?;
                return Ok(Value::Bool(match token {
                    "==" => equal(cx, left, right)?,
                    "!=" => !equal(cx, left, right)?,
                    "in " => values::contains(cx, left, right)?,
                    "<=" => compare(cx, left, right)?.is_le(),
                    ">=" => compare(cx, left, right)?.is_ge(),
                    "<" => compare(cx, left, right)?.is_lt(),
                    _ => compare(cx, left, right)?.is_gt(),
                }));
            }
        }
        Ok(left)
    }

    fn sum(&mut self, cx: &mut Context<'a>) -> Outcome<Value<'a>> {
        let mut left = self.product(cx)?;
        loop {
            let operator = match () {
                () if self.eat("+") => Operator::Add,
                () if self.eat("-") => Operator::Subtract,
                () => return Ok(left),
            };
            let right = self.product(cx)?;
            left = arith(cx, operator, left, right)?;
        }
    }

    fn product(&mut self, cx: &mut Context<'a>) -> Outcome<Value<'a>> {
        let mut left = self.unary(cx)?;
        loop {
            let operator = match () {
                () if self.eat("*") => Operator::Multiply,
                () if self.eat("/") => Operator::Divide,
                () if self.eat("%") => Operator::Modulo,
                () => return Ok(left),
            };
            let right = self.unary(cx)?;
            left = arith(cx, operator, left, right)?;
        }
    }

    fn unary(&mut self, cx: &mut Context<'a>) -> Outcome<Value<'a>> {
        self.space();
        if self.rest().starts_with('-') && !self.rest()[1..].starts_with(|it: char| it.is_ascii_digit()) {
            self.at += 1;
            let value = self.unary(cx)?;
            return Ok(values::negate(cx, value)?);
        }
        if self.rest().starts_with('!') && !self.rest().starts_with("!=") {
            self.at += 1;
            let value = self.unary(cx)?;
            return Ok(Value::Bool(!truth(value)?));
        }
        self.postfix(cx)
    }

    fn postfix(&mut self, cx: &mut Context<'a>) -> Outcome<Value<'a>> {
        let mut base = self.primary(cx)?;
        loop {
            if self.eat(".?") {
                let name = self.name()?;
                base = values::optional_index(cx, base, Value::Str(name))?;
            } else if self.eat(".") {
                let name = self.name()?;
                if self.eat("(") {
                    let mut args = vec![base];
                    args.extend(self.list(cx, ")")?);
                    base = library::call(cx, name, true, &args)?;
                } else {
                    base = values::member(cx, base, name)?;
                }
            } else if self.eat("[?") {
                let key = self.either(cx)?;
                self.need("]")?;
                base = values::optional_index(cx, base, key)?;
            } else if self.eat("[") {
                let key = self.either(cx)?;
                self.need("]")?;
                base = values::index(cx, base, key)?;
            } else {
                return Ok(base);
            }
        }
    }

    fn list(&mut self, cx: &mut Context<'a>, end: &str) -> Outcome<Vec<Value<'a>>> {
        let mut out = Vec::new();
        while !self.eat(end) {
            if !out.is_empty() {
                self.need(",")?;
            }
            out.push(self.either(cx)?);
        }
        Ok(out)
    }

    fn name(&mut self) -> Outcome<&'a str> {
        self.space();
        let rest = self.rest();
        let end = rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_' && it != '@').unwrap_or(rest.len());
        self.at += end;
        if end == 0 { Err(Trouble::Text) } else { Ok(&rest[..end]) }
    }

    fn primary(&mut self, cx: &mut Context<'a>) -> Outcome<Value<'a>> {
        self.space();
        if self.eat("(") {
            let value = self.either(cx)?;
            self.need(")")?;
            return Ok(value);
        }
        if self.eat("[") {
            let items = self.list(cx, "]")?;
            return Ok(cx.list(&items)?);
        }
        if self.eat("{") {
            let mut members = Vec::new();
            while !self.eat("}") {
                if !members.is_empty() {
                    self.need(",")?;
                }
                let key = self.either(cx)?;
                self.need(":")?;
                members.push((key, self.either(cx)?));
            }
            return Ok(map_literal(cx, &members)?);
        }
        for (prefix, bytes, raw) in
            [("b'", true, false), ("b\"", true, false), ("r'", false, true), ("'", false, false), ("\"", false, false)]
        {
            if self.rest().starts_with(prefix) {
                self.at += prefix.len() - 1;
                return self.quoted(cx, bytes, raw);
            }
        }
        if self.rest().starts_with(|it: char| it.is_ascii_digit() || it == '-' || it == '.') {
            return self.number();
        }
        self.word(cx)
    }

    fn number(&mut self) -> Outcome<Value<'a>> {
        let rest = self.rest();
        let mut end = 0;
        for (at, char) in rest.char_indices() {
            let before = rest[..at].chars().next_back();
            let exponent = matches!(before, Some('e' | 'E')) && matches!(char, '+' | '-');
            if !(char.is_ascii_digit() || matches!(char, '.' | 'e' | 'E') || exponent || (char == '-' && at == 0)) {
                break;
            }
            end = at + 1;
        }
        let text = &rest[..end];
        self.at += end;
        if self.rest().starts_with(['u', 'U']) {
            self.at += 1;
            return text.parse().map(Value::UInt).map_err(|_| Trouble::Text);
        }
        if text.contains(['.', 'e', 'E']) {
            return text.parse().map(Value::Float).map_err(|_| Trouble::Text);
        }
        text.parse().map(Value::Int).map_err(|_| Trouble::Text)
    }

    fn quoted(&mut self, cx: &mut Context<'a>, bytes: bool, raw: bool) -> Outcome<Value<'a>> {
        let quote = self.rest().chars().next().ok_or(Trouble::Text)?;
        if self.rest().starts_with(&String::from(quote).repeat(3)) {
            return Err(Trouble::Text);
        }
        self.at += 1;
        let mut out: Vec<u8> = Vec::new();
        loop {
            let char = self.rest().chars().next().ok_or(Trouble::Text)?;
            self.at += char.len_utf8();
            if char == quote {
                break;
            }
            if char != '\\' || raw {
                out.extend(char.to_string().bytes());
                continue;
            }
            let escape = self.rest().chars().next().ok_or(Trouble::Text)?;
            self.at += escape.len_utf8();
            let mut digits = |count: usize, radix: u32| {
                let text = self.text.get(self.at..self.at + count)?;
                self.at += count;
                u32::from_str_radix(text, radix).ok()
            };
            let code = match escape {
                'a' => 7,
                'b' => 8,
                'f' => 12,
                'n' => 10,
                'r' => 13,
                't' => 9,
                'v' => 11,
                '\\' | '\'' | '"' | '`' | '?' => escape as u32,
                'x' | 'X' => digits(2, 16).ok_or(Trouble::Text)?,
                'u' => digits(4, 16).ok_or(Trouble::Text)?,
                'U' => digits(8, 16).ok_or(Trouble::Text)?,
                '0'..='3' => {
                    self.at -= 1;
                    let text = self.text.get(self.at..self.at + 3).ok_or(Trouble::Text)?;
                    self.at += 3;
                    u32::from_str_radix(text, 8).map_err(|_| Trouble::Text)?
                }
                _ => return Err(Trouble::Text),
            };
            if bytes && !matches!(escape, 'u' | 'U') {
                out.push(code as u8);
            } else {
                out.extend(char::from_u32(code).ok_or(Trouble::Text)?.to_string().bytes());
            }
        }
        if bytes {
            return Ok(Value::Bytes(cx.arena.alloc_slice_copy(&out)));
        }
        let text = String::from_utf8(out).map_err(|_| Trouble::Text)?;
        Ok(Value::Str(cx.arena.alloc_str(&text)))
    }

    /// A literal by name, a call, or the name of a type.
    fn word(&mut self, cx: &mut Context<'a>) -> Outcome<Value<'a>> {
        let start = self.at;
        let mut name = self.name()?;
        while self.rest().starts_with('.') && !self.rest().starts_with(".?") {
            self.at += 1;
            self.name()?;
            name = &self.text[start..self.at];
        }
        match name {
            "true" => return Ok(Value::Bool(true)),
            "false" => return Ok(Value::Bool(false)),
            "null" => return Ok(Value::Null),
            _ => {}
        }
        if !self.eat("(") {
            let types = [
                "int",
                "uint",
                "double",
                "bool",
                "string",
                "bytes",
                "list",
                "map",
                "null_type",
                "type",
                "optional_type",
                "google.protobuf.Timestamp",
                "google.protobuf.Duration",
                "net.IP",
                "net.CIDR",
                "kubernetes.Quantity",
            ];
            return if types.contains(&name) { Ok(Value::Type(name)) } else { Err(Trouble::Text) };
        }
        if library::of(name).all(|it| it.method) {
            return Err(Trouble::Text);
        }
        let mut args = self.list(cx, ")")?;
        if matches!(name, "math.greatest" | "math.least") && args.len() > 2 {
            args = vec![cx.list(&args)?];
        }
        Ok(library::call(cx, name, false, &args)?)
    }
}

fn truth(value: Value<'_>) -> Outcome<bool> {
    match value {
        Value::Bool(bool) => Ok(bool),
        _ => Err(Trouble::Text),
    }
}

/// A value as a literal of CEL, as far as it has one.
pub(super) fn render(value: Value<'_>, arena: &Arena) -> String {
    // The arena outlives the text, not the value: both are as good.
    let arena: &Arena = arena;
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::UInt(uint) => format!("{uint}u"),
        Value::Float(float) => format!("{float:?}"),
        Value::Str(text) => format!("{text:?}"),
        Value::Bytes(bytes) => format!("b{bytes:?}"),
        Value::Duration(duration) => time::render_duration(duration),
        Value::Type(name) => name.to_owned(),
        Value::Optional(None) => "none".to_owned(),
        Value::Optional(Some(value)) => format!("some({})", render(*value, arena)),
        value => {
            if let Some(nanos) = time::nanoseconds(value) {
                return time::render_timestamp(nanos);
            }
            if let Value::Opaque(opaque) = value {
                return format!("{}({})", opaque.type_name(), opaque.text());
            }
            let own = Arena::new();
            if let Some(items) = elements(value, &own) {
                let items: Vec<String> = items.map(|it| render(it, &own)).collect();
                return format!("[{}]", items.join(", "));
            }
            let mut members: Vec<String> = entries(value, &own)
                .into_iter()
                .flatten()
                .map(|(key, value)| format!("{}: {}", render(key, &own), render(value, &own)))
                .collect();
            members.sort();
            format!("{{{}}}", members.join(", "))
        }
    }
}
