//! Time zones, and times as people read them. The IANA data is part of lbd.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The zone of this IANA name, in any case of letters.
pub fn named(name: &str) -> Option<TimeZone> {
    ZONES.get(name).ok()
}

/// The names of all zones, sorted.
pub fn names() -> Vec<String> {
    let mut names: Vec<_> = ZONES.available().map(|name| name.to_string()).collect();
    names.sort_unstable();
    names
}

/// Its IANA name.
pub fn name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}

/// Date, time to the second, and the zone's own abbreviation: `2026-11-26 14:00:00 CET`.
pub fn time(instant: Timestamp, zone: &TimeZone) -> String {
    instant.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

tokio::task_local! {
    /// In which a request is answered.
    static OF_REQUEST: TimeZone;
}

/// Answers a request in this zone: [`of_request`] finds it.
pub async fn within<T>(zone: TimeZone, answer: impl Future<Output = T>) -> T {
    OF_REQUEST.scope(zone, answer).await
}

/// The zone of the request that is being answered; UTC where none is.
pub fn of_request() -> TimeZone {
    OF_REQUEST.try_with(TimeZone::clone).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_zone_summer_and_winter() {
        let told = |text: &str, zone: &str| time(text.parse().unwrap(), &named(zone).unwrap());
        assert_eq!(told("2026-11-26T13:00:00Z", "Europe/Berlin"), "2026-11-26 14:00:00 CET");
        assert_eq!(told("2026-07-01T23:30:00Z", "Europe/Berlin"), "2026-07-02 01:30:00 CEST");
        assert_eq!(told("2026-07-01T23:30:00Z", "utc"), "2026-07-01 23:30:00 UTC");
        assert_eq!(told("2026-07-01T00:00:00Z", "Asia/Kolkata"), "2026-07-01 05:30:00 IST");
        // A clock that is wrong by any number of years is told too.
        assert_eq!(time(Timestamp::MAX, &named("Pacific/Kiritimati").unwrap()).len(), 23);
        assert!(time(Timestamp::MIN, &named("Pacific/Honolulu").unwrap()).ends_with("LMT"));
    }

    #[test]
    fn every_zone_has_its_name() {
        let names = names();
        assert!(names.len() > 400 && names.iter().any(|name| name == "America/New_York"));
        assert!(names.iter().all(|each| named(each).is_some_and(|zone| name(&zone) == each)));
    }

    #[tokio::test]
    async fn a_request_has_its_zone_and_no_other() {
        let zone = named("Asia/Tokyo").unwrap();
        let found = within(zone.clone(), async { of_request() }).await;
        assert_eq!((found, of_request()), (zone, TimeZone::UTC));
    }
}
