//! One clear message for each way in which a service cannot be used.
