//! How fast servers answer: samples, figures, a verdict.
//!
//! Questions go over one connected socket for a whole series and are never sent twice, so a lost
//! packet counts as one. At most ten questions a second go to a server, over all its addresses and
//! transports together. Where it was measured from is for the caller to say with every figure.

mod judge;
mod measure;
mod resolver;
mod sample;
mod stats;

pub use judge::{Judgement, Statistic, Verdict, judge};
pub use measure::{Plan, Series, measure};
pub use resolver::{ResolverSeries, measure_resolvers};
pub use sample::{Channel, Dial, Network, Reply, Sample, Socket, sample, sample_udp};
pub use stats::{Figures, P95_SAMPLES, P99_SAMPLES, quantile};
