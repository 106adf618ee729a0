//! What can be seen of a client at work: what it has counted, what it tells, what the tool shows of the dialogue.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use klamm_engine::{ClientEvent, GroupChange, Metrics};
use klamm_protocol::ApiKey;
use klamm_tests::Outcome;
use klamm_tests::client::{Client, Message, Producer, ProducerSettings};
use klamm_tests::members::{Member, MemberSettings, Told};
use klamm_tests::program::klamm;
use klamm_tests::scenario::Stage;

const PARTITIONS: i32 = 3;
const RECORDS: usize = 300;
const LONG: Duration = Duration::from_secs(60);

/// Reads as many records as were written.
fn read_all(member: &mut dyn Member) -> Outcome<()> {
    let (begun, mut count) = (Instant::now(), 0);
    while count < RECORDS {
        assert!(begun.elapsed() < LONG, "{count} of {RECORDS} records in {LONG:?}");
        if let Some(Told::Records(records)) = member.next(Duration::from_secs(1))? {
            count += records.len();
        }
    }
    Ok(())
}

/// Writes them. What is counted of a producer goes with it: it comes back.
fn write_all(client: &dyn Client, topic: &str) -> Outcome<Box<dyn Producer>> {
    let producer = client.producer(&ProducerSettings::default())?;
    let messages: Vec<_> = (0..PARTITIONS)
        .cycle()
        .take(RECORDS)
        .map(|partition| Message::to(topic).partition(partition).value("counted"))
        .collect();
    producer.send_batch(&messages).into_iter().collect::<Outcome<Vec<_>>>().map(drop)?;
    let metrics = client.metrics();
    let counts = metrics.producers[0].counts;
    let records = RECORDS as u64;
    assert_eq!((counts.records, counts.acknowledged_records, counts.failed_records), (records, records, 0));
    assert_eq!(counts.acknowledged_batches, counts.batches);
    assert_eq!(counts.queue_time.count(), counts.batches);
    assert!(counts.bytes > 7 * records, "{} bytes", counts.bytes);
    Ok(producer)
}

/// Sums that must be the same from whichever side they are made.
fn check_sums(metrics: &Metrics) {
    let of_all = &metrics.connections;
    let sum = |of: fn(&klamm_engine::metrics::ApiMetrics) -> u64| metrics.apis.values().map(of).sum::<u64>();
    assert_eq!(of_all.requests, sum(|api| api.requests));
    assert_eq!(of_all.bytes_out, sum(|api| api.bytes_out));
    assert_eq!(of_all.bytes_in, sum(|api| api.bytes_in));
    let by_broker: u64 = metrics.brokers.iter().map(|broker| broker.connections.requests).sum();
    assert_eq!(of_all.requests, by_broker);
}

/// The text form: of each sample its name, once described, and a number.
fn check_text(text: &str) -> Outcome<BTreeMap<&str, f64>> {
    let (mut described, mut values) = (BTreeSet::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            described.extend(comment.split_whitespace().nth(1));
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').ok_or(line)?;
        let name = sample.split('{').next().unwrap_or_default();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let known = described.contains(name) || family.is_some_and(|family| described.contains(family));
        assert!(known, "{name} is not described");
        *values.entry(name).or_default() += value.parse::<f64>()?;
    }
    Ok(values)
}

/// What is counted is what was done, by the client's parts and by its connections.
pub(crate) fn counted(stage: &Stage) -> Outcome<()> {
    let client = stage.connect()?;
    let topic = stage.topic("counted");
    client.create_topic(&topic, PARTITIONS, stage.replication())?;
    let mut events = client.events(true);
    let _producer = write_all(&*client, &topic)?;
    let group = stage.topic("counting");
    let mut member = client.member(&MemberSettings::new(&group, &topic))?;
    read_all(&mut *member)?;
    member.commit()?;

    let metrics = client.metrics();
    check_sums(&metrics);
    assert_eq!(metrics.connections.requests_lost, 0);
    for api in [ApiKey::METADATA, ApiKey::FETCH, ApiKey::JOIN_GROUP, ApiKey::OFFSET_COMMIT] {
        assert!(metrics.apis.get(&api).is_some_and(|api| api.requests > 0), "{api} is not counted");
    }
    let consumer = metrics.consumers.last().ok_or("no consumer is counted")?;
    assert_eq!(consumer.counts.records, RECORDS as u64);
    assert_eq!(consumer.partitions.len(), 3);
    for partition in &consumer.partitions {
        assert_eq!((partition.position, partition.end, partition.lag), (Some(100), Some(100), Some(0)));
    }
    let told = metrics.groups.last().ok_or("no group is counted")?;
    assert_eq!((told.group_id.as_str(), told.assigned_partitions), (group.as_str(), 3));
    assert!(told.counts.rebalances >= 1 && told.counts.rebalance_time.count() >= 1, "{:?}", told.counts);
    assert!(told.counts.commits >= 1 && told.counts.commits_failed == 0, "{:?}", told.counts);
    assert_eq!(told.members, Some(1));
    let text = metrics.to_prometheus();
    let values = check_text(&text)?;
    assert!(values["klamm_producer_records_total"] >= 300.0, "{text}");
    assert!(values.contains_key("klamm_group_rebalances_total"), "{text}");
    assert_eq!(values.get("klamm_consumer_lag"), Some(&0.0), "{text}");

    let mut all = Vec::new();
    while let Some(event) = events() {
        all.push(event);
    }
    let count = |is: &dyn Fn(&ClientEvent) -> bool| all.iter().filter(|event| is(event)).count();
    let written = count(
        &|event| matches!(event, ClientEvent::BatchWritten { topic: of, base_offset: Some(_), .. } if *of == *topic),
    );
    let read = count(&|event| matches!(event, ClientEvent::BatchRead { topic: of, .. } if *of == *topic));
    assert!(written >= 3 && read >= 3, "{written} batches written, {read} read");
    let assigned = |event: &ClientEvent| match event {
        ClientEvent::Group { group: of, change: GroupChange::Assigned(partitions), .. } => {
            *of == *group && partitions.len() == 3
        }
        _ => false,
    };
    assert_eq!(count(&assigned), 1, "{all:?}");
    let produced = |event: &ClientEvent| matches!(event, ClientEvent::Exchanged { exchange, .. } if exchange.api == ApiKey::PRODUCE);
    assert!(count(&produced) >= 1, "no request is told");
    member.close();
    Ok(())
}

/// The tool shows the dialogue as it is, a line a message, and every field on request; of secrets nothing.
pub(crate) fn traced(stage: &Stage) -> Outcome<()> {
    let bootstrap = stage.cluster().bootstrap().join(",");
    let topic = stage.topic("traced");
    klamm(&["topic", "create", &topic, "-b", &bootstrap], b"", None)?.succeeded()?;
    let ran = klamm(&["produce", &topic, "--trace", "-b", &bootstrap], b"shown\n", None)?;
    let errors = ran.errors.clone();
    ran.succeeded()?;
    let lines: Vec<&str> = errors.lines().collect();
    // ApiVersions comes first, in the highest version that both know or a lower one after a refusal.
    assert!(lines.first().is_some_and(|line| line.contains(" > ApiVersions v")), "{errors}");
    for api in ["ApiVersions", "Metadata", "Produce"] {
        let of = |arrow: &str| {
            let start = format!(" {arrow} {api} v");
            let ids = lines.iter().filter(|line| line.contains(&start));
            ids.filter_map(|line| line.split("  id ").nth(1)?.split_whitespace().next()).collect::<Vec<_>>()
        };
        let (asked, answered) = (of(">"), of("<"));
        assert!(!asked.is_empty(), "no {api} is shown: {errors}");
        assert!(asked.iter().all(|id| answered.contains(id)), "{api}: {asked:?} and {answered:?}");
    }
    assert!(lines.iter().filter(|line| line.contains(" < ")).all(|line| line.ends_with(" ms")), "{errors}");
    assert!(!errors.contains("topic_data"), "fields were not asked for: {errors}");

    let ran = klamm(&["produce", &topic, "--trace=fields", "-b", &bootstrap], b"shown\n", None)?;
    let errors = ran.errors.clone();
    ran.succeeded()?;
    for field in
        ["ProduceRequest {", &format!("name: {topic:?}"), "acks: -1", "partition_index: 0", "base_offset: 1"]
    {
        assert!(errors.contains(field), "{field} is not shown: {errors}");
    }
    Ok(())
}
