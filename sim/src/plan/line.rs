//! One line of a plan: words, and values by name.

use std::fmt;

use super::error::{PlanError, Wrong};
use super::values::Value;

/// A kind of line, or of what follows `at TIME`.
pub(super) trait Line: Sized {
    /// The word that it begins with.
    const WORD: &'static str;

    /// Reads the values behind the word.
    fn read(words: &mut Words<'_>) -> Result<Self, PlanError>;

    /// Writes the values behind the word, each after a space; not those that are as they are without being named.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// Makes a struct that is a line of a plan: its word; in parentheses the values that have to be there; in braces those
/// that are optional, with what they are otherwise. The defaults are part of the format: they never change.
macro_rules! line {
    (
        $(#[$meta:meta])* $name:ident, $word:literal,
        ($($(#[$rmeta:meta])* $rkey:literal $required:ident: $rtype:ty),* $(,)?)
        {$($(#[$ometa:meta])* $okey:literal $optional:ident: $otype:ty = $default:expr),* $(,)?}
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$rmeta])* pub $required: $rtype,)*
            $($(#[$ometa])* pub $optional: $otype,)*
        }

        impl $name {
            /// With the defaults for everything else.
            #[must_use]
            pub fn plain($($required: $rtype),*) -> Self {
                Self { $($required,)* $($optional: $default,)* }
            }
        }

        impl crate::plan::line::Line for $name {
            const WORD: &'static str = $word;

            fn read(
                words: &mut crate::plan::line::Words<'_>,
            ) -> Result<Self, crate::plan::PlanError> {
                let made = Self {
                    $($required: words.required($rkey)?,)*
                    $($optional: words.optional($okey, $default)?,)*
                };
                words.finish(&[$($rkey,)* $($okey,)*])?;
                Ok(made)
            }

            fn write(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $(write!(f, concat!(" ", $rkey, "={}"), crate::plan::values::Shown(&self.$required))?;)*
                $(if self.$optional != $default {
                    write!(f, concat!(" ", $okey, "={}"), crate::plan::values::Shown(&self.$optional))?;
                })*
                f.write_str("")
            }
        }
    };
}

/// Makes an enum of kinds of lines.
macro_rules! lines {
    ($(#[$meta:meta])* $name:ident, $kind:literal, {$($(#[$vmeta:meta])* $variant:ident($line:ty)),* $(,)?}) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$vmeta])* $variant($line),)*
        }

        impl $name {
            const WORDS: &[&str] = &[$(<$line as crate::plan::line::Line>::WORD),*];

            /// Reads what a word begins; the others are what it could have been besides.
            pub(in crate::plan) fn read<'a>(
                word: crate::plan::line::Word<'a>,
                words: &mut crate::plan::line::Words<'_>,
                others: impl IntoIterator<Item = &'a str>,
            ) -> Result<Self, crate::plan::PlanError> {
                $(if word.text == <$line as crate::plan::line::Line>::WORD {
                    return <$line as crate::plan::line::Line>::read(words).map(Self::$variant);
                })*
                let wrong = crate::plan::error::Wrong::choice(
                    $kind,
                    word.text,
                    Self::WORDS.iter().copied().chain(others),
                );
                Err(words.wrong_at(word.column, wrong))
            }

            /// The word that it begins with.
            #[must_use]
            pub const fn word(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => <$line as crate::plan::line::Line>::WORD,)*
                }
            }
        }

        $(impl From<$line> for $name {
            fn from(line: $line) -> Self {
                Self::$variant(line)
            }
        })*

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())?;
                match self {
                    $(Self::$variant(line) => crate::plan::line::Line::write(line, f),)*
                }
            }
        }
    };
}

pub(super) use {line, lines};

/// A word and where it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    pub(super) column: usize,
    pub(super) text: &'a str,
}

/// The words of one line that have not been read yet.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    line: usize,
    /// One behind the last column.
    end: usize,
    words: Vec<Word<'a>>,
}

impl<'a> Words<'a> {
    /// The words of the `line`-th line of a plan, without its comment.
    pub(super) fn new(line: usize, text: &'a str) -> Self {
        let text = text.split('#').next().unwrap_or("");
        let mut words = Vec::new();
        let mut start = None;
        for (at, letter) in text.char_indices().chain([(text.len(), ' ')]) {
            match (letter.is_whitespace(), start) {
                (false, None) => start = Some(at),
                (true, Some(from)) => {
                    words.push(Word { column: text[..from].chars().count() + 1, text: &text[from..at] });
                    start = None;
                }
                _ => {}
            }
        }
        Self { line, end: text.trim_end().chars().count() + 1, words }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The next word.
    pub(super) fn word(&mut self, what: &str) -> Result<Word<'a>, PlanError> {
        if self.words.is_empty() {
            return Err(self.wrong_at(self.end, Wrong::new(format!("{what} is missing"))));
        }
        Ok(self.words.remove(0))
    }

    /// A word and all that follow it.
    pub(super) fn rest(&mut self, word: Word<'_>) -> String {
        self.words.drain(..).fold(word.text.to_owned(), |text, word| text + " " + word.text)
    }

    /// The next word, as a value.
    pub(super) fn value<V: Value>(&mut self, what: &str) -> Result<V, PlanError> {
        let word = self.word(what)?;
        V::read(word.text).map_err(|wrong| self.wrong_at(word.column, wrong))
    }

    /// The value of a name that has to be there.
    pub(super) fn required<V: Value>(&mut self, name: &str) -> Result<V, PlanError> {
        let value = self.take(name)?;
        value.ok_or_else(|| self.wrong_at(self.end, Wrong::new(format!("{name}= is missing"))))
    }

    /// The value of a name, or what it is otherwise.
    pub(super) fn optional<V: Value>(&mut self, name: &str, otherwise: V) -> Result<V, PlanError> {
        Ok(self.take(name)?.unwrap_or(otherwise))
    }

    fn take<V: Value>(&mut self, name: &str) -> Result<Option<V>, PlanError> {
        let is_named = |word: &Word<'_>| word.text.split_once('=').is_some_and(|(named, _)| named == name);
        let Some(index) = self.words.iter().position(is_named) else { return Ok(None) };
        let word = self.words.remove(index);
        let text = word.text.get(name.len() + 1..).unwrap_or("");
        let column = word.column + name.chars().count() + 1;
        V::read(text).map(Some).map_err(|wrong| self.wrong_at(column, wrong))
    }

    /// Everything has been read: what is left is wrong.
    pub(super) fn finish(&self, names: &[&str]) -> Result<(), PlanError> {
        let Some(word) = self.words.first() else { return Ok(()) };
        let wrong = match word.text.split_once('=') {
            Some((name, _)) if names.contains(&name) => Wrong::new(format!("{name}= is there twice")),
            Some((name, _)) if names.is_empty() => Wrong::new(format!("{name}= has no meaning here")),
            Some((name, _)) => Wrong::choice("name here", name, names.iter().copied()),
            None => Wrong::new(format!("{:?} is not NAME=VALUE", word.text)),
        };
        Err(self.wrong_at(word.column, wrong))
    }

    pub(super) fn wrong_at(&self, column: usize, wrong: Wrong) -> PlanError {
        PlanError { line: self.line, column, what: wrong.what, nearest: wrong.nearest }
    }
}
