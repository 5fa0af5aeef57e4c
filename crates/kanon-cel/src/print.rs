//! Syntax tree to text, in one canonical form: single spaces, no bracket that is not needed, literals and macros as they were
//! written. What it prints parses to the same tree.

use crate::ast::{Expr, Kind, Logic, Loop, Name, Select, Unary};

/// How strongly a form binds; the higher, the stronger.
const CONDITIONAL: u8 = 0;
const OR: u8 = 1;
const AND: u8 = 2;
const RELATION: u8 = 3;
const SUM: u8 = 4;
const PRODUCT: u8 = 5;
const UNARY: u8 = 6;
const MEMBER: u8 = 7;

/// The canonical text of an expression.
pub(crate) fn print(expr: &Expr) -> String {
    let mut out = String::new();
    write(expr, CONDITIONAL, &mut out);
    out
}

fn level(expr: &Expr) -> u8 {
    use crate::ast::Binary::{Add, Divide, Equal, Greater, GreaterEqual, In, Less, LessEqual, Modulo, Multiply};
    use crate::ast::Binary::{NotEqual, Subtract};
    match &expr.kind {
        Kind::Conditional(_) => CONDITIONAL,
        Kind::Logic(Logic::Or, _) => OR,
        Kind::Logic(Logic::And, _) => AND,
        Kind::Binary(Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual | In, _) => RELATION,
        Kind::Binary(Add | Subtract, _) => SUM,
        Kind::Binary(Multiply | Divide | Modulo, _) => PRODUCT,
        Kind::Unary(..) => UNARY,
        Kind::Literal(_)
        | Kind::Name(_)
        | Kind::Select(_)
        | Kind::Has(_)
        | Kind::Index(_)
        | Kind::Call(_)
        | Kind::List(_)
        | Kind::Map(_)
        | Kind::Message(_)
        | Kind::Loop(_)
        | Kind::Bind(_)
        | Kind::Block(_) => MEMBER,
    }
}

/// Writes an expression where only forms of `least` and above need no brackets.
fn write(expr: &Expr, least: u8, out: &mut String) {
    if level(expr) < least {
        out.push('(');
        write(expr, CONDITIONAL, out);
        out.push(')');
        return;
    }
    match &expr.kind {
        Kind::Literal(literal) => *out += &literal.text,
        Kind::Name(name) => write_name(name, out),
        Kind::Select(select) => write_select(select, out),
        Kind::Has(select) => {
            *out += "has(";
            write_select(select, out);
            out.push(')');
        }
        Kind::Index(index) => {
            write(&index.operand, MEMBER, out);
            *out += if index.optional { "[?" } else { "[" };
            write(&index.key, CONDITIONAL, out);
            out.push(']');
        }
        Kind::Call(call) => {
            if let Some(target) = &call.target {
                write(target, MEMBER, out);
            }
            if call.target.is_some() || call.absolute {
                out.push('.');
            }
            *out += &call.function;
            out.push('(');
            separated(&call.args, out, |it, out| write(it, CONDITIONAL, out));
            out.push(')');
        }
        Kind::Unary(operator, operand) => write_unary(*operator, operand, out),
        Kind::Binary(operator, operands) => {
            let own = level(expr);
            write(&operands.0, own, out);
            *out += " ";
            *out += operator.sign();
            *out += " ";
            write(&operands.1, own + 1, out);
        }
        Kind::Logic(logic, operands) => {
            let sign = if *logic == Logic::And { " && " } else { " || " };
            for (at, operand) in operands.iter().enumerate() {
                *out += if at == 0 { "" } else { sign };
                write(operand, level(expr) + 1, out);
            }
        }
        Kind::Conditional(parts) => {
            write(&parts[0], OR, out);
            *out += " ? ";
            write(&parts[1], OR, out);
            *out += " : ";
            write(&parts[2], CONDITIONAL, out);
        }
        Kind::List(elements) => {
            out.push('[');
            separated(elements, out, |it, out| {
                *out += if it.optional { "?" } else { "" };
                write(&it.value, CONDITIONAL, out);
            });
            out.push(']');
        }
        Kind::Map(entries) => {
            out.push('{');
            separated(entries, out, |it, out| {
                *out += if it.optional { "?" } else { "" };
                write(&it.key, CONDITIONAL, out);
                *out += ": ";
                write(&it.value, CONDITIONAL, out);
            });
            out.push('}');
        }
        Kind::Message(message) => {
            write_name(&message.name, out);
            out.push('{');
            separated(&message.fields, out, |it, out| {
                *out += if it.optional { "?" } else { "" };
                write_field(&it.name, it.quoted, out);
                *out += ": ";
                write(&it.value, CONDITIONAL, out);
            });
            out.push('}');
        }
        Kind::Loop(it) => write_loop(it, out),
        Kind::Bind(bind) => {
            *out += "cel.bind(";
            *out += &bind.variable.name;
            *out += ", ";
            write(&bind.value, CONDITIONAL, out);
            *out += ", ";
            write(&bind.body, CONDITIONAL, out);
            out.push(')');
        }
        Kind::Block(block) => {
            *out += "cel.block([";
            separated(&block.slots, out, |it, out| write(it, CONDITIONAL, out));
            *out += "], ";
            write(&block.body, CONDITIONAL, out);
            out.push(')');
        }
    }
}

fn separated<T>(items: &[T], out: &mut String, mut item: impl FnMut(&T, &mut String)) {
    for (at, it) in items.iter().enumerate() {
        *out += if at == 0 { "" } else { ", " };
        item(it, out);
    }
}

fn write_name(name: &Name, out: &mut String) {
    if name.absolute {
        out.push('.');
    }
    // The names of blocks are numbers: see `slot_name` and `numbered_name`.
    if let Some(index) = name.text.strip_prefix("@index") {
        *out += &format!("cel.index({index})");
    } else if let Some(numbers) = name.text.strip_prefix("@it:") {
        *out += &format!("cel.iterVar({})", numbers.replace(':', ", "));
    } else {
        *out += &name.text;
    }
}

fn write_field(field: &str, quoted: bool, out: &mut String) {
    let quote = if quoted { "`" } else { "" };
    *out += &format!("{quote}{field}{quote}");
}

fn write_select(select: &Select, out: &mut String) {
    write(&select.operand, MEMBER, out);
    *out += if select.optional { ".?" } else { "." };
    write_field(&select.field, select.quoted, out);
}

fn write_unary(operator: Unary, operand: &Expr, out: &mut String) {
    let sign = if operator == Unary::Not { '!' } else { '-' };
    let mut inner = String::new();
    write(operand, UNARY, &mut inner);
    // Two signs would cancel each other, and a sign becomes part of a number.
    let is_number = inner.trim_start_matches('.').starts_with(|it: char| it.is_ascii_digit());
    let merges = inner.starts_with(sign) || (operator == Unary::Negate && is_number);
    out.push(sign);
    if merges {
        out.push('(');
        *out += &inner;
        out.push(')');
    } else {
        *out += &inner;
    }
}

fn write_loop(it: &Loop, out: &mut String) {
    write(&it.range, MEMBER, out);
    out.push('.');
    *out += if it.underscore { "exists_one" } else { it.form.name() };
    out.push('(');
    for variable in &it.variables {
        write_name(&Name { text: variable.name.clone(), absolute: false }, out);
        *out += ", ";
    }
    if let Some(filter) = &it.filter {
        write(filter, CONDITIONAL, out);
        *out += ", ";
    }
    write(&it.body, CONDITIONAL, out);
    out.push(')');
}
