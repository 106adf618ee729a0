use super::*;
use crate::plan::values::{ClientName, TopicName};

const ALL: [Profile; 7] = [
    Profile::Smoke,
    Profile::Swarm,
    Profile::Storm,
    Profile::Soak,
    Profile::VersionMix,
    Profile::Rebalance,
    Profile::Exhaustive,
];

fn error(text: &str) -> String {
    text.parse::<Plan>().unwrap_err().to_string()
}

#[test]
fn a_plan_is_what_its_text_says() {
    for profile in ALL {
        for seed in 0..300 {
            let plan = Plan::generate(profile, seed);
            let text = plan.to_string();
            assert_eq!(text.parse::<Plan>().map_err(|error| format!("{error}\n{text}")), Ok(plan), "{text}");
        }
    }
}

#[test]
fn a_line_less_is_an_item_less() {
    let plan = Plan::generate(Profile::Storm, 3);
    let text = plan.to_string();
    for (index, line) in text.lines().enumerate() {
        if !line.starts_with("at ") {
            continue;
        }
        let less: String = text
            .lines()
            .enumerate()
            .filter(|(other, _)| *other != index)
            .fold(String::new(), |text, (_, line)| text + line + "\n");
        let less: Plan = less.parse().unwrap();
        assert_eq!(less.steps.len() + 1, plan.steps.len());
        assert_eq!(less.items() + 1, plan.items());
    }
}

#[test]
fn comments_order_and_spaces_have_no_meaning() {
    let tidy = "klamm plan 1\nseed 3\nclient c0\nproducer p1 client=c0\nat 5ms p1 flush\nat 2s crash broker=1\nheal at 4s\n";
    let wild = "\n# what it is for\nklamm plan 1 # format\n\n at 2s crash   broker=1\nat 5000us p1 flush\n\
        heal at 4000ms\nproducer p1\tclient=c0\nclient c0\nseed 3";
    assert_eq!(tidy.parse::<Plan>(), wild.parse::<Plan>());
    assert_eq!(tidy.parse::<Plan>().unwrap().clients[0].0, ClientName(0));
}

#[test]
fn an_error_says_where_what_and_what_else() {
    let begin = "klamm plan 1\n";
    for (text, expected) in [
        ("", "line 1, column 1: \"klamm plan 1\" is missing"),
        ("klamm plan 2", "line 1, column 12: format \"2\" of plans is not known (did you mean 1?)"),
        ("hello world", "line 1, column 1: a plan begins with \"klamm plan 1\", not with \"hello\""),
    ] {
        assert_eq!(error(text), expected);
    }
    for (line, expected) in [
        (
            "topics t0",
            "column 1: \"topics\" is no line of a plan: one of seed, profile, cluster, network, topic, \
            client, producer, consumer, member, transactor, at, heal (did you mean topic?)",
        ),
        ("topic x", "column 7: \"x\" is no name of a topic (did you mean t0?)"),
        ("producer p0", "column 12: client= is missing"),
        ("producer p0 client=c0 aks=all", "column 23: \"aks\" is no name here (did you mean acks?)"),
        ("producer p0 client=c0 acks=2", "column 28: \"2\" is no acks: one of all, 1, 0"),
        (
            "producer p0 client=c0 linger=5",
            "column 30: \"\" is no unit of time: one of h, min, s, ms, us, ns",
        ),
        (
            "producer p0 client=c0 linger=1m",
            "column 30: \"m\" is no unit of time: one of h, min, s, ms, us, ns \
            (did you mean h?)",
        ),
        ("producer p0 client=c0 linger=soon", "column 30: \"soon\" is no time such as 20ms, 5s or 3h"),
        ("producer p0 client=c0 linger=1s linger=1s", "column 33: linger= is there twice"),
        (
            "at 1s p0 sent topic=t0",
            "column 10: \"sent\" is no action of a producer: one of send, flush, abort, close, \
            drop (did you mean send?)",
        ),
        ("at 1s errr code=1", "column 7: \"errr\" is no fault (did you mean error?)"),
        ("at 1s error api=Produce", "column 7: "),
        ("at 1s error code=1 api=Produze", "column 24: there is no API"),
        ("at 1s crash broker=1 keep-unflushed=maybe", "column 37: \"maybe\" is no answer: one of yes, no"),
        (
            "at 1s r0 seek to=t0/0",
            "column 18: \"t0/0\" does not say where to begin: TOPIC/NUMBER@PLACE \
            (did you mean t0/0@earliest?)",
        ),
        ("cluster version=4.2 3", "column 21: \"3\" is not NAME=VALUE"),
        ("heal 4s", "column 6: \"4s\" is no word here: one of at"),
    ] {
        let expected = format!("line 2, {expected}");
        let said = error(&format!("{begin}{line}\n"));
        assert!(said == expected || said.starts_with(&expected), "{line}\n  {said}\n  {expected}");
    }
}

#[test]
fn names_are_not_used_twice() {
    let said = error("klamm plan 1\ntopic t0\ntopic t0 partitions=2\n");
    assert_eq!(said, "line 3, column 7: there is a topic t0 already");
}

#[test]
fn plans_refer_to_what_there_is() {
    for profile in ALL {
        for seed in 0..300 {
            let plan = Plan::generate(profile, seed);
            let clients: Vec<_> = plan.clients.iter().map(|(name, _)| *name).collect();
            assert!(plan.producers.iter().all(|(_, line)| clients.contains(&line.client)));
            assert!(plan.consumers.iter().all(|(_, line)| clients.contains(&line.client)));
            assert!(plan.members.iter().all(|(_, line)| clients.contains(&line.client)));
            assert!(plan.topics.iter().any(|(name, _)| *name == TopicName(0)));
            assert!(plan.steps.iter().all(|step| step.at < plan.heal_at * 4 + Duration::from_secs(30)));
        }
    }
}

#[test]
fn every_kind_of_fault_and_of_action_is_drawn() {
    let mut drawn = std::collections::BTreeSet::new();
    for seed in 0..3_000 {
        for step in Plan::generate(Profile::Storm, seed).steps {
            drawn.insert(match step.what {
                What::Produce(_, action) => format!("p {}", action.word()),
                What::Consume(_, action) => format!("r {}", action.word()),
                What::Member(_, action) => format!("m {}", action.word()),
                What::Fault(fault) => fault.word().to_owned(),
                What::Order(fault) => fault.kind().name().to_owned(),
            });
        }
    }
    // 49 faults, 5 actions of producers, 8 of consumers.
    assert_eq!(drawn.len(), 62, "{drawn:?}");
}

#[test]
fn the_text_of_a_seed_stays_while_the_generator_does() {
    assert_eq!(Plan::generate(Profile::Swarm, 7), Plan::generate(Profile::Swarm, 7));
    assert_ne!(Plan::generate(Profile::Swarm, 7).to_string(), Plan::generate(Profile::Swarm, 8).to_string());
}
