//! Office hours (S3.10): when people are there, in the tenant's time zone, summer time and all.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use nlu::Language;
use types::Timestamp;

/// When people are there.
#[derive(Clone, Debug)]
pub struct Hours {
    zone: TimeZone,
    /// From and to for each day, Monday first; a day without is closed. `to` at or before `from` ends on the next day.
    days: [Vec<(Time, Time)>; 7],
}

/// Office hours that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// No such zone on this machine.
    #[error("{0:?} is no time zone that this machine knows")]
    Zone(String),
    /// Not `09:00-18:00`.
    #[error("{0:?} is no span of hours: write \"09:00-18:00\", several with commas between them, or \"closed\"")]
    Span(String),
}

const NAMES: [(&str, &str); 7] = [
    ("Monday", "الاثنين"),
    ("Tuesday", "الثلاثاء"),
    ("Wednesday", "الأربعاء"),
    ("Thursday", "الخميس"),
    ("Friday", "الجمعة"),
    ("Saturday", "السبت"),
    ("Sunday", "الأحد"),
];

fn index(day: Weekday) -> usize {
    usize::try_from(day.to_monday_zero_offset()).unwrap_or(0)
}

impl Hours {
    /// `days` are the seven days' texts, Monday first: `09:00-13:00, 16:00-20:00`, or `closed`.
    ///
    /// # Errors
    /// [`HoursError`] names what cannot be read.
    pub fn new(zone: &str, days: &[String; 7]) -> Result<Self, HoursError> {
        let zone = TimeZone::get(zone).map_err(|_| HoursError::Zone(zone.to_owned()))?;
        let mut out = Self { zone, days: Default::default() };
        for (place, text) in out.days.iter_mut().zip(days) {
            *place = spans(text)?;
        }
        Ok(out)
    }

    /// `None`: people are there. `Some`: they are not, and come back then (`Some(None)`: not within a fortnight).
    #[must_use]
    pub fn closed(&self, now: Timestamp) -> Option<Option<Timestamp>> {
        let Ok(at) = jiff::Timestamp::from_microsecond(now.micros()) else { return None };
        let today = at.to_zoned(self.zone.clone()).date();
        let mut next: Option<Timestamp> = None;
        // From yesterday, whose last span may reach into today.
        for offset in -1..15_i64 {
            let Ok(date) = today.checked_add(jiff::Span::new().days(offset)) else { continue };
            for (from, to) in self.spans_of(date) {
                if from <= now && now < to {
                    return None;
                }
                if from > now && next.is_none_or(|n| from < n) {
                    next = Some(from);
                }
            }
            if next.is_some() && offset >= 0 {
                break;
            }
        }
        Some(next)
    }

    fn spans_of(&self, date: Date) -> Vec<(Timestamp, Timestamp)> {
        let moment = |date: Date, time: Time| {
            let zoned = date.to_datetime(time).to_zoned(self.zone.clone()).ok()?;
            Some(Timestamp::from_micros(zoned.timestamp().as_microsecond()))
        };
        let span = |(from, to): &(Time, Time)| {
            let end = if to > from { date } else { date.tomorrow().ok()? };
            Some((moment(date, *from)?, moment(end, *to)?))
        };
        self.days[index(date.weekday())].iter().filter_map(span).collect()
    }

    /// A moment as people say it: `on Sunday at 09:00`.
    #[must_use]
    pub fn say(&self, at: Timestamp, language: Language) -> String {
        let Ok(at) = jiff::Timestamp::from_microsecond(at.micros()) else { return String::new() };
        let zoned = at.to_zoned(self.zone.clone());
        let (en, ar) = NAMES[index(zoned.weekday())];
        let (hour, minute) = (zoned.hour(), zoned.minute());
        match language {
            Language::En => format!("on {en} at {hour:02}:{minute:02}"),
            Language::Ar => format!("يوم {ar} الساعة {hour:02}:{minute:02}"),
        }
    }
}

fn spans(text: &str) -> Result<Vec<(Time, Time)>, HoursError> {
    let wrong = || HoursError::Span(types::text::preview(text, 40).to_owned());
    if matches!(text.trim(), "closed" | "") {
        return Ok(Vec::new());
    }
    let time = |t: &str| {
        let (hour, minute) = t.trim().split_once(':')?;
        // The end of a day is the beginning of the next.
        let hour = hour.parse::<i8>().ok()?;
        Time::new(if hour == 24 { 0 } else { hour }, minute.parse().ok()?, 0, 0).ok()
    };
    let span = |part: &str| part.split_once('-').and_then(|(from, to)| Some((time(from)?, time(to)?)));
    text.split(',').map(|part| span(part).ok_or_else(wrong)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(zone: &str, friday: &str, saturday: &str) -> Hours {
        let usual = "09:00-18:00".to_owned();
        let mut days: [String; 7] = std::array::from_fn(|_| usual.clone());
        days[4] = friday.to_owned();
        days[5] = saturday.to_owned();
        days[6] = "closed".to_owned();
        Hours::new(zone, &days).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_micros(text.parse::<jiff::Zoned>().unwrap().timestamp().as_microsecond())
    }

    #[test]
    fn people_are_there_in_their_hours_and_said_to_come_back_at_the_next() {
        let h = hours("Asia/Dubai", "09:00-12:00, 14:00-18:00", "22:00-02:00");
        let cases = [
            ("2026-11-25T09:00[Asia/Dubai]", None),
            ("2026-11-25T08:59[Asia/Dubai]", Some("on Wednesday at 09:00")),
            ("2026-11-25T18:00[Asia/Dubai]", Some("on Thursday at 09:00")),
            ("2026-11-27T13:00[Asia/Dubai]", Some("on Friday at 14:00")),
            ("2026-11-27T19:00[Asia/Dubai]", Some("on Saturday at 22:00")),
            ("2026-11-29T01:00[Asia/Dubai]", None),
            ("2026-11-29T02:00[Asia/Dubai]", Some("on Monday at 09:00")),
        ];
        for (now, want) in cases {
            let closed = h.closed(at(now)).map(|next| h.say(next.unwrap(), Language::En));
            assert_eq!(closed.as_deref(), want, "{now}");
        }
        assert_eq!(h.say(at("2026-11-29T09:00[Asia/Dubai]"), Language::Ar), "يوم الأحد الساعة 09:00");
    }

    /// Clocks go back on 2026-10-25 in Berlin: nine o'clock stays nine o'clock.
    #[test]
    fn summer_time_moves_the_hours_with_it() {
        let h = hours("Europe/Berlin", "09:00-18:00", "closed");
        let next = h.closed(at("2026-10-24T12:00[Europe/Berlin]")).unwrap().unwrap();
        assert_eq!(next, at("2026-10-26T09:00[Europe/Berlin]"));
    }

    #[test]
    fn who_is_never_there_says_no_time() {
        let closed: [String; 7] = std::array::from_fn(|_| "closed".to_owned());
        assert_eq!(Hours::new("UTC", &closed).unwrap().closed(Timestamp::ZERO), Some(None));
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["9-18", "09:00", "09:00-25:00", "x", "09:00-18:00;"] {
            let mut days: [String; 7] = Default::default();
            days[0] = text.to_owned();
            assert!(matches!(Hours::new("UTC", &days), Err(HoursError::Span(_))), "{text}");
        }
        assert!(Hours::new("Mars/Olympus", &Default::default()).is_err());
    }
}
