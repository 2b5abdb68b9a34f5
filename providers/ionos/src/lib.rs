//! IONOS as a provider: the hosting DNS API and IONOS Cloud DNS.
