//! Looks up what an audit wants to know: DNS answers, served policies, mail servers, certificates.
