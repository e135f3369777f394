//! Servers that are slow, or stop in the middle.

use testdata::Fault;

use super::stage::Stage;

fn stocked() -> Stage {
    let mut stage = Stage::new();
    stage.target("targets", "image", &[7; 50_000], "image");
    stage.publish();
    stage.init();
    stage
}

#[test]
fn stalled_connection_is_given_up_on() {
    let stage = stocked();
    stage.server.fault("timestamp.json", Fault::Stall);
    let ended = stage.impatient_refresh();
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("sent nothing for"), "{}", ended.stderr);
    assert!(ended.stderr.contains("the network is poor; try again later"), "{}", ended.stderr);
    stage.server.heal();
    stage.refreshed();
}

#[test]
fn slow_trickle_is_given_up_on_and_a_slow_link_is_not() {
    let stage = stocked();
    stage.server.fault("timestamp.json", Fault::Slow { bytes_per_second: 200 });
    let ended = stage.impatient_refresh();
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("sends less than"), "{}", ended.stderr);
    stage.server.heal();
    stage.server.fault("timestamp.json", Fault::Slow { bytes_per_second: 2_000 });
    let ended = stage.impatient_refresh();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}
