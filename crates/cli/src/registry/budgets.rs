//! One request budget for each account, however many providers of the configuration use it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mailzone_http::Budget;
use sha2::{Digest as _, Sha256};

/// The budgets of a run by service and credential. A credential itself is kept nowhere.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    known: Mutex<HashMap<Account, Arc<Budget>>>,
}

/// A service, and the SHA-256 of a credential.
type Account = (&'static str, [u8; 32]);

/// How fast an account may be asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// Requests a second.
    pub(super) per_second: f64,
    /// Requests at once after a quiet time.
    pub(super) burst: u32,
}

impl Budgets {
    /// The budget of `service` for these credentials: made with `rate` for whoever asks first.
    pub(super) fn of(&self, service: &'static str, credential: &str, rate: Rate) -> Arc<Budget> {
        let key = (service, Sha256::digest(credential.as_bytes()).into());
        // What is in the map is whole, whoever panicked.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(key).or_insert_with(|| Arc::new(Budget::new(rate.per_second, rate.burst))))
    }
}

impl Rate {
    /// The service's own, or the one that is configured; its burst is at most a second's worth then.
    pub(super) fn new((per_second, burst): (f64, u32), configured: Option<f64>) -> Self {
        match configured {
            None => Self { per_second, burst },
            // A rate from 0.01 to 10,000, as the configuration allows.
            Some(rate) => Self { per_second: rate, burst: burst.min(rate.ceil() as u32).max(1) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_credentials_share_one_budget() {
        let budgets = Budgets::default();
        let rate = Rate::new((4.0, 10), None);
        let first = budgets.of("a", "token", rate);
        assert!(Arc::ptr_eq(&first, &budgets.of("a", "token", rate)));
        assert!(!Arc::ptr_eq(&first, &budgets.of("a", "other", rate)));
        assert!(!Arc::ptr_eq(&first, &budgets.of("b", "token", rate)));
        assert!(!format!("{budgets:?}").contains("token"));
    }

    #[test]
    fn a_configured_rate_limits_the_burst() {
        let burst = |configured| Rate::new((4.0, 10), configured).burst;
        assert_eq!((burst(None), burst(Some(0.5)), burst(Some(2.5)), burst(Some(1000.0))), (10, 1, 3, 10));
    }
}
