//! Reading the text form of a schema, and writing it.

use std::fmt::{self, Write};

use super::model::{Field, Kind, Primitive, Schema, Struct, Type, Versions};

/// A text that is not a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line at fault, from 1; 0 when the text has no line at all.
    pub line: usize,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of the schema is malformed", self.line)
    }
}

impl std::error::Error for ParseError {}

const KINDS: [(&str, Kind); 4] = [
    ("request", Kind::Request),
    ("response", Kind::Response),
    ("header", Kind::Header),
    ("data", Kind::Data),
];

/// A line without its indentation.
struct Line<'a> {
    number: usize,
    depth: usize,
    words: Vec<&'a str>,
}

/// Reads the text form of a schema.
///
/// The first line tells of the message, each further one of a field: name, type, versions, and what else applies
/// (`nullable=VERSIONS`, `tag=N`, `default=VALUE`, `entity=NAME`, `ignorable`, `inflexible`). The fields of a struct
/// stand below the field that has it, two spaces further in. `struct NAME` at the margin opens a struct that
/// several fields refer to.
///
/// # Errors
/// The line that is not of this form.
pub fn parse(text: &str) -> Result<Schema, ParseError> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let depth = (line.len() - line.trim_start().len()) / 2;
        lines.push(Line { number: index + 1, depth, words: line.split_whitespace().collect() });
    }
    let (head, mut rest) = lines.split_first().ok_or(ParseError { line: 0 })?;
    let mut schema = parse_head(&head.words).ok_or(ParseError { line: head.number })?;
    while let Some((line, below)) = rest.split_first() {
        let (own, after) = below.split_at(below.iter().take_while(|each| each.depth > line.depth).count());
        if let ["struct", name] = line.words[..] {
            schema.structs.push(Struct { name: name.into(), fields: parse_fields(own, 1)? });
        } else {
            schema.fields.append(&mut parse_fields(&rest[..own.len() + 1], 0)?);
        }
        rest = after;
    }
    Ok(schema)
}

fn parse_head(words: &[&str]) -> Option<Schema> {
    let (&kind, words) = words.split_first()?;
    let (&name, words) = words.split_first()?;
    let mut schema = Schema {
        kind: KINDS.iter().find(|each| each.0 == kind)?.1,
        name: name.into(),
        key: None,
        versions: Versions::NONE,
        flexible: Versions::NONE,
        unstable: false,
        listeners: Vec::new(),
        fields: Vec::new(),
        structs: Vec::new(),
    };
    for word in words {
        match word.split_once('=') {
            Some(("key", key)) => schema.key = Some(key.parse().ok()?),
            Some(("versions", versions)) => schema.versions = parse_versions(versions)?,
            Some(("flexible", versions)) => schema.flexible = parse_versions(versions)?,
            Some(("listeners", names)) => schema.listeners = names.split(',').map(String::from).collect(),
            None if *word == "unstable" => schema.unstable = true,
            _ => return None,
        }
    }
    Some(schema)
}

fn parse_fields(mut lines: &[Line<'_>], depth: usize) -> Result<Vec<Field>, ParseError> {
    let mut fields = Vec::new();
    // The depth of the recursion is the depth of the indentation, which a line has to spell out.
    while let Some((line, below)) = lines.split_first() {
        let malformed = ParseError { line: line.number };
        if line.depth != depth || depth > 16 {
            return Err(malformed);
        }
        let (own, after) = below.split_at(below.iter().take_while(|each| each.depth > depth).count());
        let mut field = parse_field(&line.words).ok_or(malformed)?;
        field.fields = parse_fields(own, depth + 1)?;
        fields.push(field);
        lines = after;
    }
    Ok(fields)
}

fn parse_field(words: &[&str]) -> Option<Field> {
    let [name, ty, versions, attributes @ ..] = words else { return None };
    let mut field = Field {
        name: (*name).into(),
        ty: parse_type(ty),
        versions: parse_versions(versions)?,
        nullable: Versions::NONE,
        tag: None,
        default: None,
        entity: None,
        ignorable: false,
        inflexible: false,
        fields: Vec::new(),
    };
    for attribute in attributes {
        match attribute.split_once('=') {
            Some(("nullable", versions)) => field.nullable = parse_versions(versions)?,
            Some(("tag", tag)) => field.tag = Some(tag.parse().ok()?),
            Some(("default", value)) => field.default = Some(value.into()),
            Some(("entity", name)) => field.entity = Some(name.into()),
            None if *attribute == "ignorable" => field.ignorable = true,
            None if *attribute == "inflexible" => field.inflexible = true,
            _ => return None,
        }
    }
    Some(field)
}

/// Reads the name of a type; `[]` in front means a list, and what is no primitive type is a struct.
pub(super) fn parse_type(name: &str) -> Type {
    if let Some(element) = name.strip_prefix("[]") {
        return Type::Array(Box::new(parse_type(element)));
    }
    let primitive = Primitive::ALL.iter().find(|each| each.0 == name);
    primitive.map_or_else(|| Type::Struct(name.into()), |each| Type::Primitive(each.1))
}

/// Reads `3`, `3-7`, `3+` or `none`.
pub(super) fn parse_versions(text: &str) -> Option<Versions> {
    if text == "none" {
        return Some(Versions::NONE);
    }
    if let Some(low) = text.strip_suffix('+') {
        return Some(Versions { low: low.parse().ok()?, high: i16::MAX });
    }
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    Some(Versions { low: low.parse().ok()?, high: high.parse().ok()? })
}

impl std::str::FromStr for Type {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(parse_type(name))
    }
}

impl std::str::FromStr for Versions {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse_versions(text).ok_or(ParseError { line: 0 })
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            _ if self.is_empty() => f.write_str("none"),
            Self { low, high: i16::MAX } => write!(f, "{low}+"),
            Self { low, high } if low == high => write!(f, "{low}"),
            Self { low, high } => write!(f, "{low}-{high}"),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Array(element) => write!(f, "[]{element}"),
            Self::Struct(name) => f.write_str(name),
            Self::Primitive(primitive) => {
                let named = Primitive::ALL.iter().find(|each| each.1 == *primitive);
                f.write_str(named.map_or("", |each| each.0))
            }
        }
    }
}

/// The text form that [`parse`] reads.
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = KINDS.iter().find(|each| each.1 == self.kind).map_or("", |each| each.0);
        write!(f, "{kind} {}", self.name)?;
        if let Some(key) = self.key {
            write!(f, " key={key}")?;
        }
        write!(f, " versions={} flexible={}", self.versions, self.flexible)?;
        if !self.listeners.is_empty() {
            write!(f, " listeners={}", self.listeners.join(","))?;
        }
        f.write_str(if self.unstable { " unstable\n" } else { "\n" })?;
        self.fields.iter().try_for_each(|field| print_field(f, field, 0))?;
        for each in &self.structs {
            writeln!(f, "struct {}", each.name)?;
            each.fields.iter().try_for_each(|field| print_field(f, field, 1))?;
        }
        Ok(())
    }
}

fn print_field(f: &mut fmt::Formatter<'_>, field: &Field, depth: usize) -> fmt::Result {
    write!(f, "{:indent$}{} {} {}", "", field.name, field.ty, field.versions, indent = depth * 2)?;
    if !field.nullable.is_empty() {
        write!(f, " nullable={}", field.nullable)?;
    }
    if let Some(tag) = field.tag {
        write!(f, " tag={tag}")?;
    }
    if let Some(default) = &field.default {
        write!(f, " default={default}")?;
    }
    if let Some(entity) = &field.entity {
        write!(f, " entity={entity}")?;
    }
    f.write_str(if field.ignorable { " ignorable" } else { "" })?;
    f.write_str(if field.inflexible { " inflexible" } else { "" })?;
    f.write_char('\n')?;
    field.fields.iter().try_for_each(|each| print_field(f, each, depth + 1))
}
