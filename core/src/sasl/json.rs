//! As much of JSON as the answer of a broker needs.

use alloc::string::String;
use core::{iter::Peekable, str::Chars};

/// The longest string that is read.
const LONGEST: usize = 2_000;

/// The text of a member of the outermost object, if it has one of that name and it is a string.
pub(super) fn member(text: &str, name: &str) -> Option<String> {
    let mut rest = text.trim_start().strip_prefix('{')?.chars().peekable();
    loop {
        skip_space(&mut rest);
        let key = string(&mut rest)?;
        skip_space(&mut rest);
        if rest.next()? != ':' {
            return None;
        }
        skip_space(&mut rest);
        if rest.peek() == Some(&'"') {
            let value = string(&mut rest)?;
            if key == name {
                return Some(value);
            }
        }
        skip_value(&mut rest)?;
    }
}

fn skip_space(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| c.is_ascii_whitespace()).is_some() {}
}

/// Goes on to what follows the next comma that is not within a string or in something nested.
fn skip_value(rest: &mut Peekable<Chars<'_>>) -> Option<()> {
    let mut depth = 0_usize;
    loop {
        match rest.peek()? {
            '"' => {
                string(rest)?;
                continue;
            }
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                rest.next();
                return Some(());
            }
            _ => {}
        }
        rest.next();
    }
}

fn string(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    rest.next_if_eq(&'"')?;
    let mut text = String::new();
    loop {
        let c = match rest.next()? {
            '"' => return Some(text),
            '\\' => match rest.next()? {
                'n' | 'r' | 't' | 'b' | 'f' => ' ',
                'u' => {
                    let digits: Option<String> = (0..4).map(|_| rest.next()).collect();
                    let code = u32::from_str_radix(&digits?, 16).ok()?;
                    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
                other => other,
            },
            other => other,
        };
        if text.len() > LONGEST {
            return None;
        }
        text.push(c);
    }
}
