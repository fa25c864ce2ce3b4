//! Which server of which service a mark means.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::MarkFilter;
use crate::traffic::numbering::{Numbering, SERVICE_BITS, service_number};

/// A server in a service, by their labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerName {
    /// The service's label.
    pub service: String,
    /// The server's label.
    pub server: String,
}

/// Servers by mark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(BTreeMap<u32, ServerName>);

impl Names {
    /// Those of a numbering.
    pub fn of(numbering: &Numbering) -> Self {
        let names = numbering.iter().filter_map(|(counter, mark)| {
            let (service, server) = counter.split_once('/')?;
            Some((mark.get(), ServerName { service: service.into(), server: server.into() }))
        });
        Self(names.collect())
    }

    /// Takes newer names; a mark that has none now keeps its last one, as connections may still carry it.
    pub fn follow(&mut self, newer: Self) {
        self.0.extend(newer.0);
    }

    /// The server that a mark means.
    pub fn get(&self, mark: u32) -> Option<&ServerName> {
        self.0.get(&mark)
    }

    /// The numbers that a service has or had; empty where there is no such one.
    pub fn numbers(&self, service: &str) -> BTreeSet<u32> {
        let marks = self.0.iter().filter(|(_, name)| name.service == service);
        marks.map(|(mark, _)| service_number(*mark)).collect()
    }

    /// The marks of a service, or of one of its servers; `None` where there is no such one.
    pub fn filter(&self, service: Option<&str>, server: Option<&str>) -> Option<MarkFilter> {
        let Some(service) = service else { return Some(MarkFilter::ANY) };
        let of_service = || self.0.iter().filter(|(_, name)| name.service == service);
        match server {
            None => of_service().next_back().map(|(mark, _)| MarkFilter { mark: *mark, mask: SERVICE_BITS }),
            Some(server) => of_service()
                .rfind(|(_, name)| name.server == server)
                .map(|(mark, _)| MarkFilter::exactly(*mark)),
        }
    }
}

impl FromIterator<(u32, ServerName)> for Names {
    fn from_iter<T: IntoIterator<Item = (u32, ServerName)>>(names: T) -> Self {
        Self(names.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_by_name_and_outlive_their_server() {
        let name =
            |service: &str, server: &str| ServerName { service: service.into(), server: server.into() };
        let mut names = Names::from_iter([(0x10001, name("A", "ONE")), (0x10002, name("A", "TWO"))]);
        names.follow(Names::from_iter([(0x10001, name("A", "ONE")), (0x20001, name("B", "ONE"))]));
        assert_eq!(names.get(0x10002), Some(&name("A", "TWO")));
        assert_eq!(names.filter(Some("A"), None).map(|filter| filter.matches(0x10007)), Some(true));
        assert_eq!(names.filter(Some("A"), None).map(|filter| filter.matches(0x20001)), Some(false));
        assert_eq!(names.filter(Some("B"), Some("ONE")), Some(MarkFilter::exactly(0x20001)));
        assert_eq!(names.filter(Some("C"), None), None);
        assert_eq!(names.filter(None, Some("ONE")), Some(MarkFilter::ANY));
        assert_eq!((names.numbers("B"), names.numbers("C")), (BTreeSet::from([2]), BTreeSet::new()));
    }
}
