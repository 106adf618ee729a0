//! Plans as text.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::error::Wrong;
use super::line::{Line, Word, Words};
use super::setup::{
    ClientLine, ClusterLine, ConsumerLine, MemberLine, NetworkLine, ProducerLine, TopicLine, TransactorLine,
};
use super::values::{ConsumerName, MemberName, ProducerName, Shown, Value};
use super::{ConsumeAction, Fault, MemberAction, Plan, PlanError, ProduceAction, Step, What};
use crate::cluster;

/// The version of the format that is written.
const VERSION: u32 = 1;

/// The words that begin a line.
const BEGINNINGS: [&str; 12] = [
    "seed",
    "profile",
    "cluster",
    "network",
    "topic",
    "client",
    "producer",
    "consumer",
    "member",
    "transactor",
    "at",
    "heal",
];

/// A line behind its word.
struct Written<'a, L>(&'a L);

impl<L: Line> fmt::Display for Written<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f)
    }
}

fn write_named<N: fmt::Display, L: Line>(f: &mut fmt::Formatter<'_>, all: &[(N, L)]) -> fmt::Result {
    all.iter().try_for_each(|(name, line)| writeln!(f, "{} {name}{}", L::WORD, Written(line)))
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "klamm plan {VERSION}")?;
        writeln!(f, "seed {}", self.seed)?;
        if let Some(profile) = self.profile {
            writeln!(f, "profile {profile}")?;
        }
        writeln!(f, "cluster{}", Written(&self.cluster))?;
        writeln!(f, "network{}", Written(&self.network))?;
        write_named(f, &self.topics)?;
        write_named(f, &self.clients)?;
        write_named(f, &self.producers)?;
        write_named(f, &self.consumers)?;
        write_named(f, &self.members)?;
        write_named(f, &self.transactors)?;
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        writeln!(f, "heal at {}", Shown(&self.heal_at))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} {}", Shown(&self.at), self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Produce(name, action) => write!(f, "{name} {action}"),
            Self::Consume(name, action) => write!(f, "{name} {action}"),
            Self::Member(name, action) => write!(f, "{name} {action}"),
            Self::Fault(fault) => fault.fmt(f),
            Self::Order(fault) => fault.fmt(f),
        }
    }
}

impl FromStr for Plan {
    type Err = PlanError;

    /// Reads a plan. Empty lines and what follows a `#` have no meaning; steps may be in any order.
    fn from_str(text: &str) -> Result<Self, PlanError> {
        let mut lines = text.lines().enumerate().map(|(index, line)| Words::new(index + 1, line));
        let mut lines = lines.by_ref().filter(|words| !words.is_empty());
        let mut first = lines.next().unwrap_or_else(|| Words::new(1, ""));
        read_version(&mut first)?;
        let mut plan = Self::empty(0);
        for mut words in lines {
            plan.read_line(&mut words)?;
        }
        plan.steps.sort_by_key(|step| step.at);
        Ok(plan)
    }
}

fn read_version(words: &mut Words<'_>) -> Result<(), PlanError> {
    for expected in ["klamm", "plan"] {
        let word = words.word("\"klamm plan 1\"")?;
        if word.text != expected {
            let what = format!("a plan begins with \"klamm plan {VERSION}\", not with {:?}", word.text);
            return Err(words.wrong_at(word.column, Wrong::new(what)));
        }
    }
    let word = words.word("the format's version")?;
    if u32::read(word.text) != Ok(VERSION) {
        let what = format!("format {:?} of plans is not known", word.text);
        let nearest = Some(VERSION.to_string());
        return Err(words.wrong_at(word.column, Wrong { what, nearest }));
    }
    words.finish(&[])
}

impl Plan {
    fn read_line(&mut self, words: &mut Words<'_>) -> Result<(), PlanError> {
        let word = words.word("a word")?;
        match word.text {
            "seed" => {
                self.seed = words.value("the seed")?;
                words.finish(&[])
            }
            "profile" => {
                self.profile = Some(words.value("the profile")?);
                words.finish(&[])
            }
            "heal" => self.read_heal(words),
            "at" => self.read_step(words),
            ClusterLine::WORD => ClusterLine::read(words).map(|line| self.cluster = line),
            NetworkLine::WORD => NetworkLine::read(words).map(|line| self.network = line),
            TopicLine::WORD => read_named(words, &mut self.topics),
            ClientLine::WORD => read_named(words, &mut self.clients),
            ProducerLine::WORD => read_named(words, &mut self.producers),
            ConsumerLine::WORD => read_named(words, &mut self.consumers),
            MemberLine::WORD => read_named(words, &mut self.members),
            TransactorLine::WORD => read_named(words, &mut self.transactors),
            text => Err(words.wrong_at(word.column, Wrong::choice("line of a plan", text, BEGINNINGS))),
        }
    }

    fn read_heal(&mut self, words: &mut Words<'_>) -> Result<(), PlanError> {
        let word = words.word("\"at\"")?;
        if word.text != "at" {
            return Err(words.wrong_at(word.column, Wrong::choice("word here", word.text, ["at"])));
        }
        self.heal_at = words.value("the time")?;
        words.finish(&[])
    }

    fn read_step(&mut self, words: &mut Words<'_>) -> Result<(), PlanError> {
        let at: Duration = words.value("the time")?;
        let word = words.word("who does what, or a fault")?;
        let what = if let Ok(name) = ProducerName::read(word.text) {
            What::Produce(name, ProduceAction::read(words.word("what the producer does")?, words, [])?)
        } else if let Ok(name) = ConsumerName::read(word.text) {
            What::Consume(name, ConsumeAction::read(words.word("what the consumer does")?, words, [])?)
        } else if let Ok(name) = MemberName::read(word.text) {
            What::Member(name, MemberAction::read(words.word("what the member does")?, words, [])?)
        } else if cluster::FAULTS.iter().any(|entry| entry.name == word.text) {
            What::Order(read_order(word, words)?)
        } else {
            let others = cluster::FAULTS.iter().map(|entry| entry.name);
            What::Fault(Fault::read(word, words, others)?)
        };
        self.steps.push(Step { at, what });
        Ok(())
    }
}

/// Reads a fault of the cluster: everything that is left of the line.
fn read_order(word: Word<'_>, words: &mut Words<'_>) -> Result<cluster::Fault, PlanError> {
    let text = words.rest(word);
    text.parse().map_err(|error: cluster::FaultError| {
        let column = word.column + error.column.saturating_sub(1);
        words.wrong_at(column, Wrong::new(error.message))
    })
}

fn read_named<N: Value + PartialEq + fmt::Display, L: Line>(
    words: &mut Words<'_>,
    all: &mut Vec<(N, L)>,
) -> Result<(), PlanError> {
    let Word { column, text } = words.word("the name")?;
    let name = N::read(text).map_err(|wrong| words.wrong_at(column, wrong))?;
    if all.iter().any(|(other, _)| *other == name) {
        return Err(words.wrong_at(column, Wrong::new(format!("there is a {} {name} already", L::WORD))));
    }
    all.push((name, L::read(words)?));
    Ok(())
}
