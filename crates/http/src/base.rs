use std::fmt;

use reqwest::Url;

/// The base address of an API: where the calls' paths are appended.
///
/// Always `https`, except on loopback, where nobody listens in. A query is kept and stands in every request
/// (netcup's `?JSON`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    url: Url,
}

/// Why a text is not the base address of an API. The user's fault; the same text fails again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// Not a URL.
    #[error("not a URL ({0})")]
    Syntax(String),
    /// Another scheme than `https`.
    #[error("not https, so that credentials would be sent in clear (http is for loopback addresses only)")]
    NotHttps,
    /// `https://user:password@host`: credentials belong into their own keys.
    #[error("a user name or a password stands in the URL")]
    UserInfo,
    /// `https://host/#fragment`: it would never be sent.
    #[error("a fragment (#) stands in the URL")]
    Fragment,
}

impl Base {
    /// Reads `https://api.example/v1`. A slash at the end does not matter.
    pub fn parse(text: &str) -> Result<Self, BaseError> {
        let url = Url::parse(text.trim()).map_err(|error| BaseError::Syntax(error.to_string()))?;
        let base = Self { url };
        match base.url.scheme() {
            "https" => {}
            "http" if base.is_loopback() => {}
            _ => return Err(BaseError::NotHttps),
        }
        if !base.url.username().is_empty() || base.url.password().is_some() {
            return Err(BaseError::UserInfo);
        }
        if base.url.fragment().is_some() {
            return Err(BaseError::Fragment);
        }
        Ok(base)
    }

    /// Whether the address is this machine itself: `localhost`, 127.0.0.0/8 or `::1`.
    pub fn is_loopback(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        address.map_or(host == "localhost", |address| address.is_loopback())
    }

    /// The address in its normal form.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// `scheme://host`, and the port if it is not the scheme's own.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The host, and the port if it is not the scheme's own.
    pub(crate) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The address of a call. `None` if a part of `path` is `.` or `..`, which would lead out of the base.
    pub(crate) fn join(&self, path: &str, query: &[(String, String)]) -> Option<Url> {
        let mut url = self.url.clone();
        if !path.is_empty() {
            if path.split(['/', '\\']).any(is_dots) {
                return None;
            }
            let base = self.url.path().trim_end_matches('/');
            url.set_path(&format!("{base}/{}", path.trim_start_matches('/')));
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Some(url)
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a URL's reader takes the segment for a step in the tree (percent-encoded too).
fn is_dots(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn join(base: &str, path: &str, query: &[(&str, &str)]) -> Option<String> {
        let query: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Base::parse(base).unwrap().join(path, &query).map(String::from)
    }

    #[test]
    fn https_except_on_loopback() {
        for good in ["https://api.example/v1", "http://127.0.0.1:8080", "http://[::1]:1/", "http://localhost/x?JSON"] {
            assert!(Base::parse(good).is_ok(), "{good}");
        }
        for bad in ["http://api.example/", "http://10.0.0.1/", "http://localhost.example/", "ftp://127.0.0.1/"] {
            assert_eq!(Base::parse(bad), Err(BaseError::NotHttps), "{bad}");
        }
        assert_eq!(Base::parse("https://a:b@api.example/"), Err(BaseError::UserInfo));
        assert_eq!(Base::parse("https://a@api.example/"), Err(BaseError::UserInfo));
        assert_eq!(Base::parse("https://api.example/#x"), Err(BaseError::Fragment));
        assert!(matches!(Base::parse("api.example"), Err(BaseError::Syntax(_))));
        assert!(matches!(Base::parse(""), Err(BaseError::Syntax(_))));
    }

    #[test]
    fn parts() {
        let base = Base::parse(" https://API.example:8443/v1 ").unwrap();
        assert_eq!(
            (base.as_str(), base.origin().as_str()),
            ("https://api.example:8443/v1", "https://api.example:8443")
        );
        assert_eq!(Base::parse("https://api.example:443/v1").unwrap().origin(), "https://api.example");
        assert!(!base.is_loopback() && Base::parse("https://127.9.9.9/").unwrap().is_loopback());
    }

    #[test]
    fn paths_are_appended() {
        let joined = |base, path| join(base, path, &[]).unwrap();
        assert_eq!(joined("https://a.example/v4", "/zones"), "https://a.example/v4/zones");
        assert_eq!(joined("https://a.example/v4/", "zones/"), "https://a.example/v4/zones/");
        assert_eq!(joined("https://a.example", "/zones/a%2Fb"), "https://a.example/zones/a%2Fb");
        assert_eq!(joined("https://a.example/v4", "/x?y#z"), "https://a.example/v4/x%3Fy%23z");
        assert_eq!(joined("https://a.example/e.php?JSON", ""), "https://a.example/e.php?JSON");
        assert_eq!(
            join("https://a.example/e?JSON", "", &[("a b", "c&d")]).unwrap(),
            "https://a.example/e?JSON&a+b=c%26d"
        );
        for path in ["/zones/..", "/../x", "/%2e%2E/x", "/a/./b", "/a\\..\\b"] {
            assert_eq!(join("https://a.example/v4", path, &[]), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_path_stays_below_the_base(path in any::<String>()) {
            let base = Base::parse("https://a.example/v4").unwrap();
            if let Some(url) = base.join(&path, &[]) {
                prop_assert_eq!(url.host_str(), Some("a.example"));
                prop_assert!(url.path().starts_with("/v4"), "{url}");
                prop_assert!(url.query().is_none() && url.fragment().is_none());
            }
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = Base::parse(&text);
        }
    }
}
