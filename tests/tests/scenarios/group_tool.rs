//! Groups as people look after them: `klamm group`, and administration by program.

use bytes::Bytes;
use klamm_blocking::{Admin, ErrorCode, GroupType, Kafka, MemberName};
use klamm_protocol::messages::consumer_protocol::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition,
};
use klamm_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use klamm_protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use klamm_protocol::wire::Writer;
use klamm_protocol::{Message, Str};
use klamm_tests::Outcome;
use klamm_tests::program::{Ran, klamm};
use klamm_tests::scenario::Stage;
use klamm_tests::wire::Wire;

const PARTITIONS: u16 = 3;
const RECORDS: usize = 10;

/// A topic with ten records in each partition, and the name of a group that does not exist yet.
struct Scene {
    topic: String,
    group: String,
    bootstrap: String,
}

impl Scene {
    fn new(stage: &Stage) -> Outcome<Self> {
        let (topic, bootstrap) = (stage.topic("t"), stage.cluster().bootstrap().join(","));
        stage.cluster().create_topic(&topic, PARTITIONS)?;
        let lines: String = (0..RECORDS).map(|number| format!("{number}\n")).collect();
        for partition in 0..PARTITIONS {
            let partition = partition.to_string();
            let arguments = ["produce", &topic, "-p", &partition, "-b", &bootstrap];
            klamm(&arguments, lines.as_bytes(), None)?.succeeded()?;
        }
        Ok(Self { group: format!("{topic}-group"), topic, bootstrap })
    }

    fn run(&self, arguments: &[&str]) -> Outcome<Ran> {
        let mut all = vec!["group"];
        all.extend(arguments);
        all.extend(["-b", &self.bootstrap]);
        klamm(&all, b"", None)
    }

    /// The lines of what the tool printed, each without what only aligns it.
    fn lines(&self, arguments: &[&str]) -> Outcome<Vec<String>> {
        let output = String::from_utf8(self.run(arguments)?.succeeded()?)?;
        Ok(output.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect())
    }

    /// What the tool said of a failure.
    fn failure(&self, arguments: &[&str]) -> Outcome<String> {
        let ran = self.run(arguments)?;
        match ran.code {
            Some(1) => Ok(ran.errors),
            code => Err(format!("{arguments:?} ended with {code:?}: {}", ran.errors).into()),
        }
    }

    /// Resets, and expects these offsets for the partitions from 0 on; `None` for one that is left alone.
    fn resets(&self, arguments: &[&str], expected: [Option<(&str, i64)>; 3]) -> Outcome<()> {
        let mut all = vec!["reset-offsets", self.group.as_str()];
        all.extend(arguments);
        let mut rows = vec!["TOPIC PARTITION CURRENT-OFFSET NEW-OFFSET".to_owned()];
        for (partition, row) in expected.into_iter().enumerate() {
            rows.extend(row.map(|(current, new)| format!("{} {partition} {current} {new}", self.topic)));
        }
        expect(&all, &self.lines(&all)?, &rows)
    }

    /// Expects what `lag` shows of each partition behind its number.
    fn lags(&self, expected: [&str; 3]) -> Outcome<()> {
        let mut rows = vec!["TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST".to_owned()];
        let numbered = expected.iter().enumerate();
        rows.extend(numbered.map(|(partition, row)| format!("{} {partition} {row}", self.topic)));
        expect(&["lag"], &self.lines(&["lag", &self.group])?, &rows)
    }

    fn admin(&self) -> Outcome<Admin> {
        Ok(Kafka::builder(self.bootstrap.split(',')).connect()?.admin())
    }
}

fn expect(what: &[&str], got: &[String], expected: &[String]) -> Outcome<()> {
    if got == expected { Ok(()) } else { Err(format!("{what:?}: {got:#?} instead of {expected:#?}").into()) }
}

fn expect_part(text: &str, part: &str) -> Outcome<()> {
    if text.contains(part) { Ok(()) } else { Err(format!("nothing of {part:?} in {text}").into()) }
}

/// Offsets are set, shown and deleted with their group.
pub(crate) fn offsets(stage: &Stage) -> Outcome<()> {
    let scene = Scene::new(stage)?;
    let (topic, group) = (scene.topic.as_str(), scene.group.as_str());
    expect_part(&scene.failure(&["lag", group])?, "the cluster has no such group")?;
    // A dry run changes nothing: there is still no such group.
    let to_five = ["--topic", topic, "--to-offset", "5"];
    scene.resets(&to_five, [Some(("-", 5)); 3])?;
    expect_part(&scene.failure(&["describe", group])?, "the cluster has no such group")?;
    scene.resets(&[&to_five[..], &["--execute"]].concat(), [Some(("-", 5)); 3])?;
    scene.lags(["5 10 5 - -"; 3])?;
    reset_in_all_ways(&scene)?;
    let listed = scene.lines(&["list"])?;
    expect_part(&listed.join("\n"), &format!("{group} Empty"))?;
    if scene.lines(&["list", "--state", "stable"])?.iter().any(|line| line.starts_with(group)) {
        return Err("an empty group among the stable ones".into());
    }
    let described = scene.lines(&["describe", group])?.join("\n");
    for part in [format!("group {group}"), "state Empty".to_owned(), "members 0".to_owned()] {
        expect_part(&described, &part)?;
    }
    let misspelt = scene.failure(&["describe", &format!("{group}x")])?;
    expect_part(&misspelt, &format!("did you mean {group}?"))?;
    let json = String::from_utf8(scene.run(&["lag", group, "-o", "json"])?.succeeded()?)?;
    expect_part(&json, r#""lag":"#)?;
    delete_offsets(&scene)?;
    expect(&["delete"], &scene.lines(&["delete", group])?, &[format!("{group}: deleted")])?;
    expect_part(&scene.failure(&["delete", group])?, "the cluster has no such group")
}

fn reset_in_all_ways(scene: &Scene) -> Outcome<()> {
    let topic = scene.topic.as_str();
    scene.resets(&["--all-topics", "--shift-by", "-2", "--execute"], [Some(("5", 3)); 3])?;
    let one = format!("{topic}:1");
    scene.resets(&["--topic", &one, "--to-latest", "--execute"], [None, Some(("3", 10)), None])?;
    scene.lags(["3 10 7 - -", "10 10 0 - -", "3 10 7 - -"])?;
    // Beyond what there is: to the nearest that there is.
    scene.resets(&["--topic", &one, "--shift-by", "-100"], [None, Some(("10", 0)), None])?;
    scene.resets(&["--topic", &one, "--to-offset", "99"], [None, Some(("10", 10)), None])?;
    let current = [("3", 0), ("10", 0), ("3", 0)].map(Some);
    for to in [["--to-datetime", "2001-09-09T01:46:40Z"], ["--by-duration", "P1D"]] {
        scene.resets(&["--topic", topic, to[0], to[1]], current)?;
    }
    let ends = [("3", 10), ("10", 10), ("3", 10)].map(Some);
    scene.resets(&["--topic", topic, "--to-datetime", "2100-01-01"], ends)?;
    scene.resets(&["--topic", topic, "--to-earliest", "--execute"], current)?;
    let wrong = scene.run(&["reset-offsets", &scene.group, "--topic", topic, "--to-datetime", "soon"])?;
    if wrong.code == Some(2) { Ok(()) } else { Err(format!("{:?}: {}", wrong.code, wrong.errors).into()) }
}

fn delete_offsets(scene: &Scene) -> Outcome<()> {
    let admin = scene.admin()?;
    let deleted = admin.delete_group_offsets(&scene.group, [(scene.topic.as_str(), 1)])?;
    if deleted.values().any(Result::is_err) {
        return Err(format!("{deleted:?}").into());
    }
    let left: Vec<i32> =
        admin.list_group_offsets(&scene.group, true)?.into_keys().map(|(_, partition)| partition).collect();
    if left == [0, 2] { Ok(()) } else { Err(format!("offsets are left for {left:?}").into()) }
}

/// A group with a member is shown with it, and is not reset or deleted before the member is gone.
pub(crate) fn members(stage: &Stage) -> Outcome<()> {
    let scene = Scene::new(stage)?;
    let (topic, group) = (scene.topic.as_str(), scene.group.as_str());
    let arguments = ["reset-offsets", group, "--topic", topic, "--to-offset", "4", "--execute"];
    scene.run(&arguments)?.succeeded()?;
    let id = join(&scene)?;
    let described = scene.lines(&["describe", group])?.join("\n");
    let member = format!("{id} - tool 127.0.0.1 2 {topic}: 0-1");
    for part in ["state Stable", "protocol classic", "assignor range", "members 1", &member] {
        expect_part(&described, part)?;
    }
    let owned = format!("4 10 6 {id} 127.0.0.1");
    scene.lags([&owned, &owned, "4 10 6 - -"])?;
    expect_part(&scene.failure(&arguments)?, "has a member (state Stable)")?;
    expect_part(&scene.failure(&["delete", group])?, "NON_EMPTY_GROUP")?;
    let admin = scene.admin()?;
    let described = admin.describe_groups([group])?.into_values().next().ok_or("no description")??;
    if described.protocol != GroupType::Classic || &*described.members[0].id != id.as_str() {
        return Err(format!("{described:?}").into());
    }
    let refused = admin.remove_members(group, [MemberName::Id("nobody".into())], None)?;
    let code = refused.into_values().next().and_then(|result| result.err()?.code());
    if code != Some(ErrorCode::UNKNOWN_MEMBER_ID) {
        return Err(format!("nobody was removed: {code:?}").into());
    }
    let removed = admin.remove_all_members(group, Some("the test is over"))?;
    if removed.len() != 1 || removed.values().any(Result::is_err) {
        return Err(format!("{removed:?}").into());
    }
    scene.run(&["delete", group])?.succeeded().map(drop)
}

/// A member, which is told to consume the partitions 0 and 1. Returns its id.
fn join(scene: &Scene) -> Outcome<String> {
    let address = scene.bootstrap.split(',').next().unwrap_or_default();
    let mut wire = Wire::connect(address, "tool")?;
    let said =
        ConsumerProtocolSubscription { topics: vec![Str::copy_of(&scene.topic)], ..Default::default() };
    let protocol = JoinGroupRequestProtocol {
        name: "range".into(),
        metadata: document(&said)?,
        ..JoinGroupRequestProtocol::default()
    };
    let mut request = JoinGroupRequest {
        group_id: Str::copy_of(&scene.group),
        session_timeout_ms: 300_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..JoinGroupRequest::default()
    };
    request.member_id = wire.call(5, &request)?.member_id;
    let joined: JoinGroupResponse = wire.call(5, &request)?;
    let assignment = ConsumerProtocolAssignment {
        assigned_partitions: vec![TopicPartition {
            topic: Str::copy_of(&scene.topic),
            partitions: [0, 1].into(),
            ..TopicPartition::default()
        }],
        ..ConsumerProtocolAssignment::default()
    };
    let own = SyncGroupRequestAssignment {
        member_id: joined.member_id.clone(),
        assignment: document(&assignment)?,
        ..SyncGroupRequestAssignment::default()
    };
    let sync = SyncGroupRequest {
        group_id: request.group_id.clone(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        assignments: vec![own],
        ..SyncGroupRequest::default()
    };
    let synced = wire.call(3, &sync)?.error_code;
    if joined.error_code.is_ok() && synced.is_ok() {
        Ok(joined.member_id.into())
    } else {
        Err(format!("joining: {}, sync: {synced}", joined.error_code).into())
    }
}

/// A document behind its version.
fn document<M: Message>(message: &M) -> Outcome<Bytes> {
    let mut writer = Writer::new();
    writer.write_i16(1);
    message.encode(&mut writer, 1)?;
    Ok(writer.into_bytes())
}
