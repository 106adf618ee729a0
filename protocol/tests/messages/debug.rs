//! Reading the `Debug` text of a message back as JSON, to see what is in its fields.
//!
//! This compares the values in the structs, not their bytes: two fields swapped in reading and in writing alike
//! would go unnoticed otherwise.

use klamm_protocol::ErrorCode;
use klamm_protocol::schema::snake_case;
use serde_json::{Map, Value as Json, json};

use crate::encoding::base64;

/// Checks that a message's `Debug` text has every value of its JSON form.
pub(crate) fn check(text: &str, expected: &Json) {
    let mut parser = Parser { rest: text };
    let shown = parser.value();
    assert_eq!(parser.rest, "", "{text}");
    check_value(&shown, expected, "");
}

fn check_value(shown: &Json, expected: &Json, path: &str) {
    match expected {
        Json::Object(fields) => {
            for (name, value) in fields {
                let name = snake_case(&capitalised(name));
                let shown = shown.get(&name).unwrap_or_else(|| panic!("no {path}.{name}"));
                check_value(shown, value, &format!("{path}.{name}"));
            }
        }
        Json::Array(list) => {
            let shown = shown.as_array().unwrap_or_else(|| panic!("{path}: {shown}"));
            assert_eq!(shown.len(), list.len(), "{path}");
            for (index, (shown, value)) in shown.iter().zip(list).enumerate() {
                check_value(shown, value, &format!("{path}[{index}]"));
            }
        }
        Json::Number(number) if number.is_f64() => assert_eq!(shown.as_f64(), number.as_f64(), "{path}"),
        _ => assert_eq!(shown, expected, "{path}"),
    }
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, text: &str) {
        assert!(self.eat(text), "no {text:?} at {:.60}", self.rest);
    }

    fn word(&mut self) -> &'a str {
        let is_end = |letter: char| !letter.is_alphanumeric() && !"_-.+#".contains(letter);
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn value(&mut self) -> Json {
        if self.eat("[") {
            let mut list = Vec::new();
            while !self.eat("]") {
                list.push(self.value());
                self.eat(", ");
            }
            return Json::Array(list);
        }
        if self.eat("b\"") {
            return json!(base64(&self.bytes()));
        }
        if self.eat("\"") {
            return json!(self.text());
        }
        let word = self.word();
        if self.eat(" { ") {
            return self.fields();
        }
        if self.eat("(") {
            let inner = match word {
                "Uuid" => json!(self.word()),
                _ => self.value(),
            };
            self.expect(")");
            return inner;
        }
        match word {
            "None" => Json::Null,
            "true" => json!(true),
            "false" => json!(false),
            _ => number(word),
        }
    }

    fn fields(&mut self) -> Json {
        let mut fields = Map::new();
        while !self.eat("}") {
            let name = self.word();
            self.expect(": ");
            let value = self.value();
            fields.insert(name.to_owned(), value);
            self.eat(",");
            self.eat(" ");
        }
        Json::Object(fields)
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        loop {
            let letter = self.letter();
            match letter {
                '"' => return text,
                '\\' => text.push(self.escaped()),
                _ => text.push(letter),
            }
        }
    }

    fn letter(&mut self) -> char {
        let letter = self.rest.chars().next().unwrap();
        self.rest = &self.rest[letter.len_utf8()..];
        letter
    }

    fn escaped(&mut self) -> char {
        match self.letter() {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '0' => '\0',
            'u' => {
                let (code, rest) = self.rest[1..].split_once('}').unwrap();
                self.rest = rest;
                char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap()
            }
            other => other,
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            match self.letter() {
                '"' => return bytes,
                '\\' if self.eat("x") => {
                    let (code, rest) = self.rest.split_at(2);
                    self.rest = rest;
                    bytes.push(u8::from_str_radix(code, 16).unwrap());
                }
                '\\' => bytes.push(self.escaped() as u8),
                letter => bytes.push(letter as u8),
            }
        }
    }
}

fn number(word: &str) -> Json {
    if let Ok(number) = word.parse::<i64>() {
        return json!(number);
    }
    if let Ok(number) = word.parse::<f64>() {
        return json!(number);
    }
    let code = ErrorCode::all().iter().find(|code| code.name() == Some(word));
    json!(code.unwrap_or_else(|| panic!("{word:?} is no value")).0)
}
