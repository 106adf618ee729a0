//! What is wrong with the text of a plan, and where.

use std::fmt;

/// Why a text is no plan: where, what, and the nearest thing that would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, in words.
    pub what: String,
    /// What was probably meant, if something is near.
    pub nearest: Option<String>,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)?;
        match &self.nearest {
            Some(nearest) => write!(f, " (did you mean {nearest}?)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PlanError {}

/// What is wrong with a value by itself; the reader of the line knows where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) nearest: Option<String>,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), nearest: None }
    }

    /// `text` is none of the choices.
    pub(super) fn choice<'a>(kind: &str, text: &'a str, choices: impl IntoIterator<Item = &'a str>) -> Self {
        let choices: Vec<&str> = choices.into_iter().collect();
        let listed =
            if choices.len() <= 12 { format!(": one of {}", choices.join(", ")) } else { String::new() };
        Self {
            what: format!("{text:?} is no {kind}{listed}"),
            nearest: nearest(text, &choices).map(str::to_owned),
        }
    }
}

/// The choice that `text` begins, or that differs least from it, unless it differs in most of its letters.
fn nearest<'a>(text: &str, choices: &[&'a str]) -> Option<&'a str> {
    if text.len() > 2
        && let Some(begun) = choices.iter().find(|choice| choice.starts_with(text))
    {
        return Some(begun);
    }
    let by_distance = choices.iter().map(|choice| (distance(text, choice), *choice));
    let (distance, choice) = by_distance.min_by_key(|(distance, _)| *distance)?;
    (distance <= choice.chars().count().div_ceil(2)).then_some(choice)
}

/// How many letters have to be put in, taken out or replaced to make one text of the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = line;
        row[0] = line + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}
