//! Reading the tables' text. Errors name file and line: a newcomer's typing mistake shows up in the first test run.

use std::{collections::BTreeMap, sync::OnceLock};

use kanon_schema::{ListType, MapType, PatchStrategy};

use super::{FieldDef, FieldType, Scalar, Tables, TypeDef, TypeId};

/// A line of a table that does not say what it should.
#[derive(Debug, thiserror::Error)]
#[error("tables/{file}.txt, line {line}: {problem}")]
pub(crate) struct TableError {
    file: &'static str,
    line: usize,
    problem: String,
}

/// Reads all files: names first, since types refer to each other across files, then fields.
pub(crate) fn parse(files: &[(&'static str, &'static str)]) -> Result<Tables, TableError> {
    let mut types = Vec::new();
    let mut by_name = BTreeMap::new();
    for &(file, text) in files {
        each_line(file, text, |scope, line| {
            if let Line::Type(rest) = line {
                let def = type_line(scope.package, rest)?;
                if by_name.insert(def.name.clone(), TypeId(types.len())).is_some() {
                    return Err(format!("`{}` is there twice", def.name));
                }
                types.push(def);
            }
            Ok(())
        })?;
    }
    let mut current = None;
    for &(file, text) in files {
        each_line(file, text, |scope, line| {
            match line {
                Line::Type(rest) => {
                    let local = rest.split(' ').next().unwrap_or_default();
                    current = by_name.get(&format!("{}.{local}", scope.package)).copied();
                }
                Line::Field(rest) => {
                    let TypeId(at) = current.ok_or("a field before any type")?;
                    types[at].fields.push(field_line(scope, &by_name, rest)?);
                }
            }
            Ok(())
        })?;
    }
    // They stay for good.
    types.iter_mut().for_each(|it: &mut TypeDef| it.fields.shrink_to_fit());
    let schemas = types.iter().map(|_| OnceLock::new()).collect();
    Ok(Tables { types, by_name, schemas })
}

/// What `package` and `use` lines have said so far in a file.
#[derive(Default)]
struct Names {
    package: &'static str,
    aliases: Vec<(&'static str, &'static str)>,
}

enum Line {
    Type(&'static str),
    Field(&'static str),
}

fn each_line(
    file: &'static str,
    text: &'static str,
    mut visit: impl FnMut(&Names, Line) -> Result<(), String>,
) -> Result<(), TableError> {
    let mut names = Names::default();
    for (index, line) in text.lines().enumerate() {
        let done = if line.is_empty() || line.starts_with('#') {
            Ok(())
        } else if let Some(package) = line.strip_prefix("package ") {
            names.package = package.trim();
            Ok(())
        } else if let Some(alias) = line.strip_prefix("use ") {
            alias
                .trim()
                .split_once(' ')
                .map(|pair| names.aliases.push(pair))
                .ok_or("expected `use NAME PACKAGE`".into())
        } else if let Some(field) = line.strip_prefix("  ") {
            visit(&names, Line::Field(field.trim()))
        } else {
            visit(&names, Line::Type(line.trim()))
        };
        done.map_err(|problem| TableError { file, line: index + 1, problem })?;
    }
    Ok(())
}

/// Splits off the quoted text at the end of a line. Texts hold no quote; a default of `""` stands before two spaces.
fn split_text(line: &'static str) -> Result<(&'static str, &'static str), String> {
    let Some(body) = line.strip_suffix('"') else { return Ok((line, "")) };
    let (head, text) = body.rsplit_once('"').ok_or("a quote is missing")?;
    Ok((head.trim_end(), text))
}

fn type_line(package: &str, line: &'static str) -> Result<TypeDef, String> {
    let (head, text) = split_text(line)?;
    let mut parts = head.split_whitespace();
    let local = parts.next().ok_or("expected a type's name")?;
    let name = format!("{package}.{local}");
    let mut def = TypeDef { name, text, atomic: false, opaque: false, embedded: false, fields: Vec::new() };
    for attribute in parts {
        match attribute {
            "atomic" => def.atomic = true,
            "opaque" => def.opaque = true,
            "embedded" => def.embedded = true,
            other => return Err(format!("unknown attribute `{other}` of a type")),
        }
    }
    Ok(def)
}

fn field_line(names: &Names, types: &BTreeMap<String, TypeId>, line: &'static str) -> Result<FieldDef, String> {
    let (head, text) = if line.ends_with("=\"\"") { (line, "") } else { split_text(line)? };
    let mut parts = head.split_whitespace();
    let (Some(name), Some(number), Some(ty)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("expected `NAME NUMBER TYPE`".to_owned());
    };
    let number = match number {
        "-" => None,
        digits => Some(digits.parse().map_err(|_| format!("`{digits}` is not a field number"))?),
    };
    let (pointer, ty) = ty.strip_prefix('*').map_or((false, ty), |rest| (true, rest));
    let mut field = FieldDef {
        name,
        number,
        ty: field_type(names, types, ty)?,
        pointer,
        inline: name == "inline",
        required: false,
        map_type: None,
        list_type: ListType::Atomic,
        patch: PatchStrategy::default(),
        default: None,
        values: Vec::new(),
        text,
    };
    for attribute in parts {
        apply(&mut field, attribute)?;
    }
    Ok(field)
}

fn apply(field: &mut FieldDef, attribute: &'static str) -> Result<(), String> {
    let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
    match key {
        "required" => field.required = true,
        "atomic" => field.map_type = Some(MapType::Atomic),
        "granular" => field.map_type = Some(MapType::Granular),
        "set" => field.list_type = ListType::Set,
        "map" => field.list_type = ListType::Map(value.split(',').map(str::to_owned).collect()),
        "merge" => {
            field.patch.merge = true;
            field.patch.merge_key = (!value.is_empty()).then(|| value.to_owned());
        }
        "retain-keys" => field.patch.retain_keys = true,
        "enum" => field.values = value.split('|').collect(),
        "default" => {
            field.default = Some(serde_json::from_str(value).map_err(|_| format!("default `{value}` is not JSON"))?);
        }
        other => return Err(format!("unknown attribute `{other}` of a field")),
    }
    Ok(())
}

fn field_type(names: &Names, types: &BTreeMap<String, TypeId>, text: &str) -> Result<FieldType, String> {
    if let Some(element) = text.strip_prefix("[]") {
        return Ok(FieldType::List(Box::new(field_type(names, types, element)?)));
    }
    if let Some(value) = text.strip_prefix("map[").and_then(|rest| rest.strip_suffix(']')) {
        return Ok(FieldType::Map(Box::new(field_type(names, types, value)?)));
    }
    if let Some(scalar) = scalar(text) {
        return Ok(FieldType::Scalar(scalar));
    }
    let (package, local) = match text.split_once('.') {
        None => (names.package, text),
        Some((alias, local)) => {
            let package = names.aliases.iter().find(|(name, _)| *name == alias).map(|(_, package)| *package);
            (package.ok_or_else(|| format!("no `use {alias} …` above"))?, local)
        }
    };
    let id = types.get(&format!("{package}.{local}")).copied();
    id.map(FieldType::Message).ok_or_else(|| format!("there is no type `{local}` in {package}"))
}

fn scalar(text: &str) -> Option<Scalar> {
    Some(match text {
        "string" => Scalar::String,
        "bool" => Scalar::Bool,
        "int32" => Scalar::Int32,
        "int64" => Scalar::Int64,
        "double" => Scalar::Double,
        "bytes" => Scalar::Bytes,
        "time" => Scalar::Time,
        "microtime" => Scalar::MicroTime,
        "quantity" => Scalar::Quantity,
        "int-or-string" => Scalar::IntOrString,
        "any" => Scalar::Any,
        "json" => Scalar::Json,
        "fields" => Scalar::Fields,
        "schema-or-bool" => Scalar::SchemaOrBool,
        "schema-or-array" => Scalar::SchemaOrArray,
        "schema-or-strings" => Scalar::SchemaOrStrings,
        _ => return None,
    })
}
