//! The built program against the emulated services of all HTTP providers.

mod back_ends;
mod faults;
mod held;
mod makers;
mod messages;
pub(crate) mod messy;
mod requests;
mod secrets;
mod stage;

use makers::MAKERS;
use stage::Stage;

type Make = fn() -> Box<dyn Stage>;

/// Runs a test for every service, all at a time.
#[track_caller]
fn each(test: impl Fn(Make) + Sync) {
    std::thread::scope(|scope| {
        let threads: Vec<_> = MAKERS
            .iter()
            .map(|&make| {
                scope.spawn({
                    let test = &test;
                    move || test(make)
                })
            })
            .collect();
        let failed = threads.into_iter().filter_map(|thread| thread.join().err()).count();
        assert_eq!(failed, 0, "services that failed; see above");
    });
}
