//! The pretty `Debug` text of a message as a tree, so that every field of every response is compared without a line
//! of code for each.

use std::fmt::Debug;
use std::iter::Peekable;
use std::str::Lines;

/// A value of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tree {
    /// A number, a text, bytes, or a list of such.
    Leaf(String),
    Struct(Vec<(String, Self)>),
    List(Vec<Self>),
}

impl Tree {
    pub(crate) fn of(message: &impl Debug) -> Self {
        let text = format!("{message:#1?}");
        let mut lines = text.lines().peekable();
        let first = lines.next().unwrap_or_default().trim();
        parse(first, &mut lines)
    }
}

/// Parses the value that begins with `first`, the rest of a line, and goes on in `lines`.
fn parse(first: &str, lines: &mut Peekable<Lines<'_>>) -> Tree {
    let is_text = first.starts_with('"') || first.starts_with("b\"");
    if !is_text && first.ends_with('{') {
        return Tree::Struct(parse_fields(lines));
    }
    if !is_text && first.ends_with('[') {
        return collapse(parse_items("]", lines));
    }
    if !is_text && first.ends_with('(') {
        let mut items = parse_items(")", lines);
        return if items.is_empty() { Tree::Leaf("()".into()) } else { items.remove(0) };
    }
    match first.trim_end_matches(',') {
        "[]" => Tree::List(Vec::new()),
        leaf => Tree::Leaf(leaf.into()),
    }
}

fn parse_fields(lines: &mut Peekable<Lines<'_>>) -> Vec<(String, Tree)> {
    let mut fields = Vec::new();
    while let Some(line) = lines.next().map(str::trim) {
        if line.trim_end_matches(',') == "}" {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        fields.push((name.to_owned(), parse(value, lines)));
    }
    fields
}

fn parse_items(end: &str, lines: &mut Peekable<Lines<'_>>) -> Vec<Tree> {
    let mut items = Vec::new();
    while let Some(line) = lines.next().map(str::trim) {
        if line.trim_end_matches(',') == end {
            break;
        }
        items.push(parse(line, lines));
    }
    items
}

/// A list of plain values is one value.
fn collapse(items: Vec<Tree>) -> Tree {
    let leaves: Option<Vec<&str>> = items
        .iter()
        .map(|item| match item {
            Tree::Leaf(leaf) => Some(leaf.as_str()),
            _ => None,
        })
        .collect();
    match leaves {
        Some(leaves) if !leaves.is_empty() => Tree::Leaf(format!("[{}]", leaves.join(", "))),
        _ => Tree::List(items),
    }
}
