use super::*;

#[test]
fn requests_wait_for_a_handler() {
    let mut handlers = Handlers::default();
    let (now, second) = (Instant::from_millis(100), Duration::from_secs(1));
    let mut occupy = |now, limit| (handlers.occupy(now, second, limit) - Instant::ZERO).as_millis();
    assert_eq!([occupy(now, 2), occupy(now, 2), occupy(now, 2), occupy(now, 2)], [1100, 1100, 2100, 2100]);
    assert_eq!(occupy(now, 3), 1100);
    assert_eq!(occupy(Instant::from_millis(5000), 1), 6000);
}
