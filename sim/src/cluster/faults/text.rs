//! Faults as lines of text: `name key=value key=value`.

use std::time::Duration;
use std::{fmt, str::FromStr};

use klamm_protocol::{ApiKey, ErrorCode, Str};

use super::{FAULTS, Fault, FaultKind, Place};

/// A text is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct FaultError {
    /// Where, in bytes from 1 on.
    pub column: usize,
    /// What is wrong there, with what would be right.
    pub message: String,
}

/// Keys that every fault may have.
const KEYS: &[&str] = &[
    "code",
    "time",
    "epoch",
    "api",
    "broker",
    "client",
    "place",
    "topic",
    "partition",
    "times",
    "one_in",
    "after",
    "lasting",
    "name",
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        match self.kind {
            FaultKind::Error(code) | FaultKind::ErrorAfter(code) => match code.name() {
                Some(name) => write!(f, " code={name}")?,
                None => write!(f, " code={}", code.0)?,
            },
            FaultKind::Delay(time)
            | FaultKind::Slow(time)
            | FaultKind::Throttle(time)
            | FaultKind::Pause(time) => write!(f, " time={}", Span(time))?,
            FaultKind::ProducerEpoch(epoch) => write!(f, " epoch={epoch}")?,
            _ => {}
        }
        if let Some(api) = self.api {
            match api.name() {
                Some(name) => write!(f, " api={name}")?,
                None => write!(f, " api={}", api.0)?,
            }
        }
        if let Some(broker) = self.broker {
            write!(f, " broker={broker}")?;
        }
        if let Some(client) = &self.client {
            write!(f, " client={client}")?;
        }
        match &self.place {
            Place::Whole => {}
            Place::Each => f.write_str(" place=each")?,
            Place::Topic(topic) => write!(f, " topic={topic}")?,
            Place::Partition(topic, partition) => write!(f, " topic={topic} partition={partition}")?,
        }
        match self.times {
            None => {}
            Some(u32::MAX) => f.write_str(" times=always")?,
            Some(times) => write!(f, " times={times}")?,
        }
        if self.one_in != 1 {
            write!(f, " one_in={}", self.one_in)?;
        }
        if !self.after.is_zero() {
            write!(f, " after={}", Span(self.after))?;
        }
        if let Some(lasting) = self.lasting {
            write!(f, " lasting={}", Span(lasting))?;
        }
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " name={name}"))
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut words = words(text);
        let (column, name) = words.next().unwrap_or((1, ""));
        let mut fields = Vec::new();
        for (column, word) in words {
            let (key, value) = word.split_once('=').ok_or_else(|| FaultError {
                column,
                message: format!("{word:?} has no '=': a name is followed by key=value"),
            })?;
            if !KEYS.contains(&key) {
                return Err(unknown(column, "key", key, KEYS));
            }
            fields.push(Field { column, key, value });
        }
        let mut fields = Fields { column, fields };
        let kind = kind(name, &mut fields)?;
        let mut fault = Self::new(kind);
        fault.api = fields.take("api", api)?;
        fault.broker = fields.take("broker", number)?;
        fault.client = fields.take("client", |text| Ok(Str::copy_of(text)))?;
        fault.place = place(&mut fields)?;
        fault.times =
            fields.take("times", |text| if text == "always" { Ok(u32::MAX) } else { number(text) })?;
        fault.one_in = fields.take("one_in", number)?.unwrap_or(1);
        fault.after = fields.take("after", span)?.unwrap_or_default();
        fault.lasting = fields.take("lasting", span)?;
        fault.name = fields.take("name", |text| Ok(Str::copy_of(text)))?;
        match fields.fields.first() {
            None => Ok(fault),
            Some(left) => Err(FaultError {
                column: left.column,
                message: format!("{:?} has no meaning for {name:?}, or is said twice", left.key),
            }),
        }
    }
}

/// The words of a line, with the columns in which they begin.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_ascii_whitespace().map(|word| (word.as_ptr().addr() - text.as_ptr().addr() + 1, word))
}

struct Field<'a> {
    column: usize,
    key: &'a str,
    value: &'a str,
}

struct Fields<'a> {
    /// Where the fault's name is.
    column: usize,
    fields: Vec<Field<'a>>,
}

impl Fields<'_> {
    fn take<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, FaultError> {
        let Some(at) = self.fields.iter().position(|field| field.key == key) else { return Ok(None) };
        let field = self.fields.remove(at);
        let column = field.column + key.len() + 1;
        parse(field.value).map(Some).map_err(|message| FaultError { column, message })
    }

    fn need<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, FaultError> {
        let column = self.column;
        let missing = || FaultError { column, message: format!("{key}= is missing") };
        self.take(key, parse)?.ok_or_else(missing)
    }
}

fn kind(name: &str, fields: &mut Fields<'_>) -> Result<FaultKind, FaultError> {
    let known = |entry: &&super::Entry| entry.name == name;
    let Some(entry) = FAULTS.iter().find(known) else {
        let names: Vec<&str> = FAULTS.iter().map(|entry| entry.name).collect();
        return Err(unknown(fields.column, "fault", name, &names));
    };
    Ok(match entry.kind {
        FaultKind::Error(_) => FaultKind::Error(fields.need("code", code)?),
        FaultKind::ErrorAfter(_) => FaultKind::ErrorAfter(fields.need("code", code)?),
        FaultKind::Delay(_) => FaultKind::Delay(fields.need("time", span)?),
        FaultKind::Slow(_) => FaultKind::Slow(fields.need("time", span)?),
        FaultKind::Throttle(_) => FaultKind::Throttle(fields.need("time", span)?),
        FaultKind::Pause(_) => FaultKind::Pause(fields.need("time", span)?),
        FaultKind::ProducerEpoch(_) => FaultKind::ProducerEpoch(fields.need("epoch", number)?),
        other => other,
    })
}

fn place(fields: &mut Fields<'_>) -> Result<Place, FaultError> {
    let Some(topic) = fields.take("topic", |text| Ok(Str::copy_of(text)))? else {
        let each = fields.take("place", |text| match text {
            "each" => Ok(Place::Each),
            _ => Err("the place is \"each\", or a topic=".to_owned()),
        })?;
        return Ok(each.unwrap_or_default());
    };
    Ok(match fields.take("partition", number)? {
        Some(partition) => Place::Partition(topic, partition),
        None => Place::Topic(topic),
    })
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no number that fits"))
}

fn code(text: &str) -> Result<ErrorCode, String> {
    if let Ok(number) = text.parse() {
        return Ok(ErrorCode(number));
    }
    let names = || ErrorCode::all().iter().filter_map(|code| Some((*code, code.name()?)));
    names().find(|(_, name)| *name == text).map(|(code, _)| code).ok_or_else(|| {
        let names: Vec<&str> = names().map(|(_, name)| name).collect();
        unknown(0, "error", text, &names).message
    })
}

fn api(text: &str) -> Result<ApiKey, String> {
    if let Ok(number) = text.parse() {
        return Ok(ApiKey(number));
    }
    ApiKey::all().find(|api| api.name() == Some(text)).ok_or_else(|| {
        let names: Vec<&str> = ApiKey::all().filter_map(ApiKey::name).collect();
        unknown(0, "API", text, &names).message
    })
}

/// A time as text: a whole number of the largest unit that it is a whole number of.
struct Span(Duration);

const UNITS: [(&str, u64); 4] = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX);
        let fits = |(_, size): &&(&str, u64)| nanos % size == 0;
        let (unit, size) = UNITS.iter().find(fits).copied().unwrap_or(("ns", 1));
        write!(f, "{}{unit}", nanos / size)
    }
}

fn span(text: &str) -> Result<Duration, String> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at(digits);
    let size = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size);
    let nanos = size.and_then(|size| count.parse::<u64>().ok()?.checked_mul(size));
    nanos.map(Duration::from_nanos).ok_or_else(|| format!("{text:?} is no time such as 250ms or 3s"))
}

fn unknown(column: usize, what: &str, text: &str, names: &[&str]) -> FaultError {
    let nearest = names.iter().min_by_key(|name| distance(text, name)).copied().unwrap_or("");
    FaultError { column, message: format!("there is no {what} {text:?}; the nearest is {nearest:?}") }
}

/// How many letters have to be put in, taken out or changed, in whatever case.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<u8> = right.bytes().map(|byte| byte.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, from) in left.bytes().map(|byte| byte.to_ascii_lowercase()).enumerate() {
        let mut corner = std::mem::replace(&mut row[0], index + 1);
        for (at, to) in right.iter().enumerate() {
            let changed = corner + usize::from(from != *to);
            corner = row[at + 1];
            row[at + 1] = changed.min(corner + 1).min(row[at] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
