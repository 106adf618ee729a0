use super::*;

#[test]
fn a_client_may_be_a_second_ahead_and_then_waits() {
    let mut quotas =
        Quotas { all: Quota { produce_bytes: Some(100), ..Quota::default() }, ..Quotas::default() };
    let client = Str::from("app");
    let start = Instant::from_millis(5_000);
    quotas.record(start, Use::Produce, 1, &client, 100);
    assert_eq!(quotas.wait(start, Use::Produce, 1, &client), Duration::ZERO);
    quotas.record(start, Use::Produce, 1, &client, 50);
    assert_eq!(quotas.wait(start, Use::Produce, 1, &client), Duration::from_millis(500));
    let later = start + Duration::from_millis(200);
    assert_eq!(quotas.wait(later, Use::Produce, 1, &client), Duration::from_millis(300));
    for (of, broker, client) in [(Use::Produce, 2, "app"), (Use::Produce, 1, "other"), (Use::Fetch, 1, "app")]
    {
        assert_eq!(quotas.wait(start, of, broker, &Str::from(client)), Duration::ZERO);
    }
}

#[test]
fn a_quota_of_ones_own_counts_instead_of_everybodys() {
    let mut quotas = Quotas { all: Quota { requests: Some(1), ..Quota::default() }, ..Quotas::default() };
    quotas.by_client.insert(Str::from("free"), Quota::default());
    for client in ["free", "app"] {
        let client = Str::from(client);
        quotas.record(Instant::ZERO, Use::Request, 1, &client, 3);
        let expected = if client == "free" { Duration::ZERO } else { Duration::from_secs(2) };
        assert_eq!(quotas.wait(Instant::ZERO, Use::Request, 1, &client), expected);
    }
}
