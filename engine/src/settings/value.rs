//! Values out of texts.

use std::fmt;

use klamm_core::sasl::Secret;

use super::{
    nearest::nearest,
    table::{Kind, Setting},
};

/// A value that fits its setting.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Secret(Secret),
    Number(i64),
    Flag(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Secret(_) => f.write_str("(hidden)"),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
        }
    }
}

impl Value {
    /// # Errors
    /// What would be a value.
    pub(super) fn parse(setting: &Setting, text: &str) -> Result<Self, String> {
        match setting.kind {
            Kind::Text => Ok(Self::Text(text.trim().to_owned())),
            Kind::Secret => Ok(Self::Secret(Secret::from(text))),
            Kind::Flag => match text.trim().to_ascii_lowercase().as_str() {
                "true" => Ok(Self::Flag(true)),
                "false" => Ok(Self::Flag(false)),
                _ => Err(String::from("true or false")),
            },
            Kind::Number { min, max } => {
                let number = text.trim().parse().ok().filter(|number| (min..=max).contains(number));
                number.map(Self::Number).ok_or_else(|| match max {
                    i64::MAX => format!("a whole number from {min} on"),
                    max => format!("a whole number from {min} to {max}"),
                })
            }
            Kind::Choice(choices) => {
                let text = text.trim();
                let found = choices.iter().find(|choice| choice.eq_ignore_ascii_case(text));
                found.map(|choice| Self::Text((*choice).to_owned())).ok_or_else(|| {
                    let all = choices.iter().filter(|choice| !choice.is_empty()).copied().collect::<Vec<_>>();
                    match nearest(text, all.iter().copied()) {
                        Some(near) => format!("{near}, perhaps, of {}", all.join(", ")),
                        None => format!("one of {}", all.join(", ")),
                    }
                })
            }
        }
    }
}

/// What is wrong with a value. Secrets never are.
pub(super) fn describe(setting: &Setting, name: &str, text: &str, wanted: &str) -> String {
    let also = if name == setting.name { String::new() } else { format!(" ({})", setting.name) };
    format!("{name}{also}=\"{}\": it takes {wanted}", text.escape_debug())
}
