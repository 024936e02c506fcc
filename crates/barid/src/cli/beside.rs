//! What a command must know of the server that may run on the same database.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use net::{Client, ClientOptions};

use crate::config::{Config, Store, StoreUrl};

/// The database's file.
pub(super) fn file(store: &Store) -> Option<&Path> {
    match &store.url {
        StoreUrl::Sqlite(path) => Some(path),
        StoreUrl::Postgres(_) => None,
    }
}

/// The database as people know it: the file, or host, port and name without user and password.
pub(super) fn database(store: &Store) -> String {
    match &store.url {
        StoreUrl::Sqlite(path) => path.display().to_string(),
        StoreUrl::Postgres(url) => store::postgres_shown(url.expose()).unwrap_or_else(|why| why.to_string()),
    }
}

/// Whether a server holds the file's lock just now; on PostgreSQL any number of nodes may work, and none shuts the others out.
pub(super) fn server_runs(store: &Store) -> bool {
    let Some(path) = file(store) else { return false };
    crate::demo::folder::is_locked(&PathBuf::from(format!("{}-lock", path.display())))
}

/// Where a server of this configuration is reached from this machine.
pub(super) fn local_url(config: &Config) -> String {
    let listen = config.server.listen;
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

/// A client for the operator's own addresses.
pub(super) fn client() -> anyhow::Result<Client> {
    Ok(Client::new(ClientOptions { allow_private: true, ..ClientOptions::default() })?)
}
