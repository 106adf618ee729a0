//! Fetch sessions (KIP-227), by name and by id.

use klamm_protocol::Uuid;
use klamm_protocol::messages::fetch::{FetchRequest, ForgottenTopic};
use klamm_protocol::records::Stamp;
use klamm_tests::Outcome;

use crate::case::Case;
use crate::records::batch;
use crate::requests::{BY_ID, fetch_of, fetch_partition, fetch_topic};
use crate::talk::{FIRST, Talk, Topic};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for version in [12, 17] {
        let named = move |name: &str, act: fn(&mut Session<'_>) -> Outcome<()>| {
            let how = if version < BY_ID { "by_name" } else { "by_id" };
            Case::new(format!("sessions::{how}::{name}"), move |talk| act(&mut Session::open(talk, version)?))
        };
        cases.extend([
            named("only_changes_are_told", only_changes),
            named("new_records_are_told", new_records),
            named("changed_offset", changed_offset),
            named("added_and_forgotten_partitions", added_and_forgotten),
            named("forgotten_and_wanted_at_once", forgotten_and_wanted),
            named("forgotten_to_the_last", forgotten_to_the_last),
            named("errors_are_told_each_time", errors),
            named("wrong_epochs", wrong_epochs),
            named("closed", closed),
            named("replaced_by_a_full_fetch", replaced),
            named("on_another_connection", another_connection),
            named("on_another_broker", another_broker),
        ]);
    }
    cases.extend([
        Case::new("sessions::unknown_id", unknown_id),
        Case::new("sessions::epochs_without_an_id", epochs_without_id),
        Case::new("sessions::empty", empty),
        Case::new("sessions::topic_ids_after_names", ids_after_names),
        Case::new("sessions::unknown_topic_id_is_told_each_time", unknown_topic_id),
        Case::new("sessions::order_of_partitions_with_records", order),
    ]);
    cases
}

/// A session that was opened for the partitions 0 and 1 of a topic with three.
struct Session<'a> {
    talk: &'a mut Talk,
    version: i16,
    topic: Topic,
    id: i32,
    epoch: i32,
}

impl<'a> Session<'a> {
    fn open(talk: &'a mut Talk, version: i16) -> Outcome<Self> {
        let topic = talk.topic("t", 3)?;
        for index in 0..3 {
            talk.fill(&topic, index, batch(talk.epoch_ms, &["a", "b"], &Stamp::NONE))?;
        }
        let mut session = Self { talk, version, topic, id: 0, epoch: 0 };
        session.id = session.ask("open", &[(0, 0), (1, 2)], &[])?;
        Ok(session)
    }

    fn request(&self, wanted: &[(i32, i64)], forgotten: &[i32]) -> FetchRequest {
        let partitions: Vec<_> =
            wanted.iter().map(|(index, offset)| fetch_partition(*index, *offset)).collect();
        let mut request = fetch_of(&self.topic, self.version, partitions);
        if wanted.is_empty() {
            request.topics.clear();
        }
        if !forgotten.is_empty() {
            let mut topic = ForgottenTopic { partitions: forgotten.into(), ..ForgottenTopic::default() };
            if self.version < BY_ID {
                topic.topic = self.topic.name.clone();
            } else {
                topic.topic_id = self.topic.id;
            }
            request.forgotten_topics_data = vec![topic];
        }
        request.session_id = self.id;
        request.session_epoch = self.epoch;
        request
    }

    /// Asks in the session and goes on to its next epoch.
    fn ask(&mut self, step: &str, wanted: &[(i32, i64)], forgotten: &[i32]) -> Outcome<i32> {
        let request = self.request(wanted, forgotten);
        let id = self.talk.fetch(FIRST, step, self.version, &request)?;
        self.epoch += 1;
        Ok(id)
    }

    fn fill(&mut self, index: i32, value: &str) -> Outcome<()> {
        let records = batch(self.talk.epoch_ms, &[value], &Stamp::NONE);
        self.talk.fill(&self.topic, index, records)
    }
}

fn only_changes(session: &mut Session<'_>) -> Outcome<()> {
    session.ask("goes on", &[(0, 2)], &[])?;
    session.ask("nothing new", &[], &[])?;
    session.ask("still nothing new", &[], &[]).map(drop)
}

fn new_records(session: &mut Session<'_>) -> Outcome<()> {
    session.ask("goes on", &[(0, 2)], &[])?;
    session.fill(1, "c")?;
    session.ask("records", &[], &[])?;
    session.ask("not read on: the same", &[], &[])?;
    session.ask("read on", &[(1, 3)], &[]).map(drop)
}

fn changed_offset(session: &mut Session<'_>) -> Outcome<()> {
    session.ask("back to 1", &[(0, 1)], &[])?;
    session.ask("out of range", &[(0, 50)], &[])?;
    session.ask("out of range still", &[], &[])?;
    session.ask("in range", &[(0, 2)], &[])?;
    session.ask("nothing new", &[], &[]).map(drop)
}

fn added_and_forgotten(session: &mut Session<'_>) -> Outcome<()> {
    session.ask("one more", &[(0, 2), (2, 1)], &[])?;
    session.ask("forget two", &[], &[0, 2])?;
    for index in 0..3 {
        session.fill(index, "c")?;
    }
    session.ask("only one left", &[], &[])?;
    session.ask("forget what is not there", &[(1, 3)], &[2, 9])?;
    session.ask("back again", &[(0, 2)], &[]).map(drop)
}

fn forgotten_and_wanted(session: &mut Session<'_>) -> Outcome<()> {
    session.ask("both", &[(0, 1)], &[0])?;
    session.fill(0, "c")?;
    session.ask("what is left", &[], &[]).map(drop)
}

fn forgotten_to_the_last(session: &mut Session<'_>) -> Outcome<()> {
    session.ask("forget all", &[], &[0, 1])?;
    session.ask("the session", &[], &[])?;
    session.ask("wants again", &[(0, 0)], &[]).map(drop)
}

fn errors(session: &mut Session<'_>) -> Outcome<()> {
    session.ask("a partition that is not there", &[(0, 2), (7, 0)], &[])?;
    session.ask("again", &[], &[])?;
    session.ask("and again", &[], &[]).map(drop)
}

fn wrong_epochs(session: &mut Session<'_>) -> Outcome<()> {
    for epoch in [3, i32::MAX, -2, i32::MIN] {
        session.epoch = epoch;
        let request = session.request(&[], &[]);
        session.talk.fetch(FIRST, &format!("epoch {epoch} instead of 1"), session.version, &request)?;
    }
    session.epoch = 1;
    session.ask("the right one, still", &[(0, 2)], &[])?;
    session.epoch = 1;
    session.ask("the same again", &[], &[]).map(drop)
}

fn closed(session: &mut Session<'_>) -> Outcome<()> {
    session.epoch = -1;
    let request = session.request(&[(0, 1)], &[]);
    session.talk.fetch(FIRST, "close", session.version, &request)?;
    session.epoch = 1;
    session.ask("go on", &[], &[]).map(drop)
}

fn replaced(session: &mut Session<'_>) -> Outcome<()> {
    let old = session.id;
    session.epoch = 0;
    session.id = session.ask("a full fetch in the session", &[(1, 0)], &[])?;
    session.ask("in the new one", &[(1, 2)], &[])?;
    session.id = old;
    session.epoch = 1;
    session.ask("in the old one", &[], &[]).map(drop)
}

/// A session belongs to the broker and not to the connection.
fn another_connection(session: &mut Session<'_>) -> Outcome<()> {
    let connection = session.talk.connect(1);
    let request = session.request(&[(0, 2)], &[]);
    session.talk.fetch(connection, "elsewhere", session.version, &request)?;
    session.epoch += 1;
    session.ask("here", &[], &[]).map(drop)
}

fn another_broker(session: &mut Session<'_>) -> Outcome<()> {
    let connection = session.talk.connect(2);
    let request = session.request(&[(0, 2)], &[]);
    session.talk.fetch(connection, "at broker 2", session.version, &request)?;
    session.ask("at broker 1", &[(0, 2)], &[]).map(drop)
}

fn unknown_id(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    for (step, session_id, session_epoch) in
        [("go on", 123_456, 1), ("open", 123_456, 0), ("close", 123_456, -1), ("negative id", -5, 3)]
    {
        let request =
            FetchRequest { session_id, session_epoch, ..fetch_of(&topic, 17, vec![fetch_partition(0, 0)]) };
        talk.fetch(FIRST, step, 17, &request)?;
    }
    Ok(())
}

fn epochs_without_id(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 1)?;
    for session_epoch in [-1, 1, 7, -3] {
        let request = FetchRequest { session_epoch, ..fetch_of(&topic, 17, vec![fetch_partition(0, 0)]) };
        talk.fetch(FIRST, &format!("epoch {session_epoch}"), 17, &request)?;
    }
    Ok(())
}

/// No session is opened for nothing.
fn empty(talk: &mut Talk) -> Outcome<()> {
    let request = FetchRequest { session_epoch: 0, max_bytes: 1000, ..FetchRequest::default() };
    talk.fetch(FIRST, "open", 17, &request)?;
    let waits = FetchRequest { min_bytes: 1, max_wait_ms: 100, ..request };
    talk.fetch(FIRST, "open and wait", 17, &waits).map(drop)
}

fn ids_after_names(talk: &mut Talk) -> Outcome<()> {
    let mut session = Session::open(talk, 12)?;
    session.version = 17;
    let request = session.request(&[(0, 2)], &[]);
    session.talk.fetch(FIRST, "by id in a session of names", 17, &request)?;
    session.version = 12;
    session.ask("by name again", &[(0, 2)], &[])?;
    session.version = 17;
    session.epoch = 0;
    session.id = session.ask("a full fetch by id in its place", &[(0, 2)], &[])?;
    session.version = 12;
    session.ask("by name in a session of ids", &[(0, 2)], &[]).map(drop)
}

fn unknown_topic_id(talk: &mut Talk) -> Outcome<()> {
    let mut session = Session::open(talk, 17)?;
    let unknown = Topic { name: "".into(), id: Uuid([9; 16]) };
    let mut request = session.request(&[], &[]);
    request.topics.push(fetch_topic(&unknown, 17, vec![fetch_partition(0, 0)]));
    session.talk.fetch(FIRST, "one more", 17, &request)?;
    session.epoch += 1;
    session.ask("again", &[], &[]).map(drop)
}

/// Who had records goes to the end of the queue, so that nobody starves.
fn order(talk: &mut Talk) -> Outcome<()> {
    let topic = talk.topic("t", 3)?;
    for index in 0..3 {
        talk.fill(&topic, index, batch(talk.epoch_ms, &["a", "b"], &Stamp::NONE))?;
    }
    let wanted = (0..3).map(|index| fetch_partition(index, 0)).collect();
    let mut request = FetchRequest { session_epoch: 0, max_bytes: 1, ..fetch_of(&topic, 17, wanted) };
    request.session_id = talk.fetch(FIRST, "open", 17, &request)?;
    request.topics.clear();
    for epoch in 1..=4 {
        request.session_epoch = epoch;
        talk.fetch(FIRST, &format!("epoch {epoch}"), 17, &request)?;
    }
    Ok(())
}
