//! The laws: nothing foreign is lost, whatever the zone and the changes.

use mailzone_conformance::laws::Law;

use super::Files;

#[tokio::test]
async fn the_laws_hold() {
    let tally = Law::new(&Files::new(), 64).hold().await;
    assert!(tally.written as u64 > tally.rounds && tally.stale > 0 && tally.undone > 0, "{tally:?}");
}
