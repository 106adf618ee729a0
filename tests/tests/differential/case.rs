//! A case: requests to both clusters, and how their answers are compared.

use std::fmt::Write as _;

use klamm_tests::Outcome;

use crate::talk::Talk;
use crate::transcript::Line;

type Script = dyn Fn(&mut Talk) -> Outcome<()> + Send + Sync;

/// A difference that is known and explained in `sim/FIDELITY.md`. The test fails when it is there no longer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// The heading of its explanation.
    pub(crate) why: &'static str,
    /// Where it is seen.
    pub(crate) place: &'static str,
    /// What the embedded broker shows there; `None`: nothing.
    pub(crate) embedded: Option<&'static str>,
    /// What Kafka shows there; `None`: nothing.
    pub(crate) real: Option<&'static str>,
    /// What is seen after this place follows from it, and is not compared.
    is_parting: bool,
}

/// A case, sent to both clusters.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) script: Box<Script>,
    pub(crate) known: Vec<Known>,
}

impl Case {
    pub(crate) fn new(
        name: impl Into<String>,
        script: impl Fn(&mut Talk) -> Outcome<()> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), script: Box::new(script), known: Vec::new() }
    }

    /// What is known to differ: the heading of its explanation, where, and what embedded and real show there.
    pub(crate) fn differs(
        mut self,
        why: &'static str,
        place: &'static str,
        embedded: impl Into<Option<&'static str>>,
        real: impl Into<Option<&'static str>>,
    ) -> Self {
        let (embedded, real) = (embedded.into(), real.into());
        self.known.push(Known { why, place, embedded, real, is_parting: false });
        self
    }

    /// The first place at which the two sides differ, after which they go different ways.
    pub(crate) fn parts(
        mut self,
        why: &'static str,
        place: &'static str,
        embedded: impl Into<Option<&'static str>>,
        real: impl Into<Option<&'static str>>,
    ) -> Self {
        let (embedded, real) = (embedded.into(), real.into());
        self.known.push(Known { why, place, embedded, real, is_parting: true });
        self
    }

    /// Compares what was seen. The error has both sides.
    pub(crate) fn compare(&self, mut embedded: Vec<Line>, mut real: Vec<Line>) -> Outcome<()> {
        for known in &self.known {
            apply(known, &mut embedded, &real)?;
            if known.is_parting {
                for side in [&mut embedded, &mut real] {
                    let end = side.iter().position(|(place, _)| place == known.place);
                    side.truncate(end.unwrap_or(side.len()));
                }
            }
        }
        if embedded == real {
            return Ok(());
        }
        Err(side_by_side(&embedded, &real).into())
    }
}

/// Makes the embedded side what the real one is in this point, provided that both are as they are known to be.
fn apply(known: &Known, embedded: &mut Vec<Line>, real: &[Line]) -> Outcome<()> {
    let find = |lines: &[Line]| lines.iter().position(|(place, _)| place == known.place);
    let shown = |lines: &[Line]| find(lines).map(|index| lines[index].1.clone());
    let (here, there) = (shown(embedded), shown(real));
    if here.as_deref() != known.embedded || there.as_deref() != known.real {
        let (why, place) = (known.why, known.place);
        return Err(format!(
            "{why}: no longer the known difference at {place}: embedded {here:?} (known {:?}), real {there:?} \
             (known {:?})",
            known.embedded, known.real
        )
        .into());
    }
    match (find(embedded), there) {
        (Some(index), Some(there)) => embedded[index].1 = there,
        (Some(index), None) => drop(embedded.remove(index)),
        (None, Some(there)) => {
            let index = find(real).unwrap_or(0).min(embedded.len());
            embedded.insert(index, (known.place.to_owned(), there));
        }
        (None, None) => return Err(format!("{}: nothing differs at {}", known.why, known.place).into()),
    }
    Ok(())
}

/// The lines that differ, with the last equal one before them.
fn side_by_side(embedded: &[Line], real: &[Line]) -> String {
    let mut text = String::from("the embedded broker (-) and Kafka (+) differ:\n");
    let (mut left, mut right) = (0, 0);
    while left < embedded.len() || right < real.len() {
        let (here, there) = (embedded.get(left), real.get(right));
        if here == there {
            left += 1;
            right += 1;
            continue;
        }
        let is_same_place = here.map(|line| &line.0) == there.map(|line| &line.0);
        let here_later = here.and_then(|line| real.iter().skip(right).position(|other| other.0 == line.0));
        let there_later =
            there.and_then(|line| embedded.iter().skip(left).position(|other| other.0 == line.0));
        let (show_left, show_right) = match (here_later, there_later) {
            _ if is_same_place => (true, true),
            (None, Some(_)) => (true, false),
            (Some(_), None) => (false, true),
            _ => (here.is_some(), there.is_some()),
        };
        for (line, sign, is_shown) in [(here, '-', show_left), (there, '+', show_right)] {
            if let Some((place, value)) = line.filter(|_| is_shown) {
                // Writing to a string cannot fail.
                writeln!(text, "  {sign} {place} = {value}").unwrap_or_default();
            }
        }
        left += usize::from(show_left);
        right += usize::from(show_right);
    }
    text
}
