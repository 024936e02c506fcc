//! What the sample leads, the assistant and the team say. Times are minutes before now.

use store::desk::Priority;

/// Who speaks, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The lead.
    Lead,
    /// The assistant; the lead reads it.
    Bot,
    /// The assistant; the provider refuses it with this code.
    Refused(i64),
    /// The assistant; nobody knows whether it arrived.
    Doubtful,
    /// The lead's last message could not be worked; the text says why.
    Broken,
    /// A person of the team.
    Person(&'static str),
}

impl Who {
    /// Whether it is what the assistant's work on the lead's message came to.
    #[must_use]
    pub const fn is_work(self) -> bool {
        matches!(self, Self::Bot | Self::Refused(_) | Self::Doubtful | Self::Broken)
    }
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Minutes before now.
    pub ago: u32,
    /// Who.
    pub who: Who,
    /// What.
    pub text: &'static str,
    /// What the lead has told by then.
    pub told: &'static [(&'static str, &'static str)],
    /// The assistant hands over with it.
    pub hands_over: bool,
}

/// A lead with their conversation.
#[derive(Clone, Copy, Debug)]
pub struct Chat {
    /// The name in their profile.
    pub name: &'static str,
    /// Their number.
    pub phone: &'static str,
    /// Over Green API instead of Meta.
    pub green: bool,
    /// What was said.
    pub lines: &'static [Line],
    /// The team's labels.
    pub labels: &'static [&'static str],
    /// Before the others.
    pub urgent: bool,
    /// Done.
    pub resolved: bool,
    /// A private note.
    pub note: Option<&'static str>,
    /// Tasks: title, due in so many hours, how urgent.
    pub tasks: &'static [(&'static str, i32, Priority)],
}

const fn lead(ago: u32, text: &'static str) -> Line {
    Line { ago, who: Who::Lead, text, told: &[], hands_over: false }
}

const fn bot(ago: u32, text: &'static str) -> Line {
    Line { ago, who: Who::Bot, text, told: &[], hands_over: false }
}

const fn told(ago: u32, text: &'static str, told: &'static [(&'static str, &'static str)]) -> Line {
    Line { ago, who: Who::Bot, text, told, hands_over: false }
}

const fn over(ago: u32, text: &'static str, told: &'static [(&'static str, &'static str)]) -> Line {
    Line { ago, who: Who::Bot, text, told, hands_over: true }
}

const fn with(ago: u32, who: Who, text: &'static str) -> Line {
    Line { ago, who, text, told: &[], hands_over: false }
}

/// What the provider says with a code.
#[must_use]
pub const fn reason(code: i64) -> &'static str {
    match code {
        131_047 => "Re-engagement message: more than 24 hours have passed since this person wrote (131047)",
        131_026 => "Message undeliverable: the number is not on WhatsApp, or cannot take this kind of message (131026)",
        _ => "The provider refused this message",
    }
}

const DAY: u32 = 24 * 60;
const HELLO_EN: &str = "Hi 👋 I'm ABCai from Al Ain Business Center. How can I help you today?";
const HELLO_AR: &str = "مرحباً 👋 أنا ABCai من Al Ain Business Center. كيف يمكنني مساعدتك اليوم؟";

/// The six leads: three in Arabic, two in English, one in both.
pub const CHATS: &[Chat] = &[SARA, AHMED, FATIMA, JOHN, KHALID, MAYA];

const SARA: Chat = Chat {
    name: "Sara Mansoor",
    phone: "971500000201",
    green: false,
    lines: &[
        lead(3 * DAY + 200, "Hello"),
        bot(3 * DAY + 199, HELLO_EN),
        lead(3 * DAY + 190, "I need a golden visa for my family"),
        told(
            3 * DAY + 189,
            "Happy to help with the golden visa. May I have your full name?",
            &[("service", "Golden visa")],
        ),
        lead(3 * DAY + 185, "Sara Mansoor"),
        told(3 * DAY + 184, "Thank you, Sara. What is your nationality?", &[("name", "Sara Mansoor")]),
        lead(3 * DAY + 180, "Jordanian"),
        over(
            3 * DAY + 179,
            "Perfect. A colleague will prepare your quotation: which e-mail and time suit you best?",
            &[("nationality", "Jordan"), ("email", "sara@example.com"), ("time", "tomorrow after 4 pm")],
        ),
        lead(130, "Any news about the quotation?"),
        with(
            120,
            Who::Person("Mariam"),
            "Hi Sara, Mariam here. Your quotation is on its way, two adults and one child.",
        ),
        lead(118, "Great, thank you! Can I pay in two parts?"),
    ],
    labels: &["golden visa", "vip"],
    urgent: true,
    resolved: false,
    note: Some("Budget approved by her employer. Wants everything by the end of the month."),
    tasks: &[("Send Sara the quotation for three", 3, Priority::High)],
};

const AHMED: Chat = Chat {
    name: "أحمد الكعبي",
    phone: "971500000202",
    green: true,
    lines: &[
        lead(5 * DAY + 60, "السلام عليكم"),
        bot(5 * DAY + 59, HELLO_AR),
        lead(5 * DAY + 55, "أريد تأسيس شركة في العين"),
        told(5 * DAY + 54, "يسعدني مساعدتك في تأسيس الشركة. ما اسمك الكامل؟", &[("service", "Business setup")]),
        lead(5 * DAY + 50, "أحمد سالم الكعبي"),
        told(5 * DAY + 49, "شكراً أحمد. ما جنسيتك؟", &[("name", "أحمد سالم الكعبي")]),
        lead(5 * DAY + 45, "إماراتي"),
        over(
            5 * DAY + 44,
            "ممتاز. سيجهز زميلي عرض السعر: ما بريدك الإلكتروني وأفضل وقت للاتصال؟",
            &[("nationality", "United Arab Emirates")],
        ),
        lead(5 * DAY + 30, "ahmed@example.com بعد العصر"),
        with(5 * DAY + 20, Who::Person("Omar"), "أهلاً أحمد، معك عمر. أرسلت لك العرض على البريد."),
        lead(5 * DAY + 10, "وصل، شكراً جزيلاً"),
        with(5 * DAY + 5, Who::Person("Omar"), "على الرحب والسعة 🌟"),
    ],
    labels: &["company"],
    urgent: false,
    resolved: true,
    note: None,
    tasks: &[],
};

const FATIMA: Chat = Chat {
    name: "فاطمة",
    phone: "971500000203",
    green: false,
    lines: &[
        lead(2 * DAY + 300, "مرحبا، كم سعر الإقامة العائلية؟"),
        bot(2 * DAY + 299, HELLO_AR),
        lead(2 * DAY + 290, "إقامة لزوجي وطفلين"),
        told(2 * DAY + 289, "بكل سرور. ما اسمك الكامل؟", &[("service", "Family visa")]),
        lead(2 * DAY + 280, "فاطمة حسن"),
        with(2 * DAY + 279, Who::Refused(131_026), "شكراً فاطمة. ما جنسيتك؟"),
    ],
    labels: &[],
    urgent: false,
    resolved: false,
    note: None,
    tasks: &[("Call Fatima: her messages do not arrive", -20, Priority::Critical)],
};

const JOHN: Chat = Chat {
    name: "John Peters",
    phone: "971500000204",
    green: false,
    lines: &[
        lead(DAY + 400, "Hi there, do you have office space?"),
        bot(DAY + 399, HELLO_EN),
        lead(DAY + 390, "A small office, two desks"),
        told(DAY + 389, "Noted: office space. May I have your full name?", &[("service", "Office space")]),
        lead(DAY + 380, "John Peters"),
        told(DAY + 379, "Thank you, John. What is your nationality?", &[("name", "John Peters")]),
        lead(DAY + 370, "British"),
        over(
            DAY + 369,
            "Perfect. A colleague will prepare your quotation: which e-mail and time suit you best?",
            &[("nationality", "United Kingdom")],
        ),
        lead(50, "Is Sunday possible for a visit?"),
        with(40, Who::Person("Omar"), "Hello John, Omar here. Sunday at 10 works."),
        lead(35, "See you on Sunday then"),
        lead(30, "What is the exact address?"),
    ],
    labels: &["office"],
    urgent: false,
    resolved: false,
    note: Some("Wants a parking place, too."),
    tasks: &[("Show John the offices on Sunday", 20, Priority::Normal)],
};

const KHALID: Chat = Chat {
    name: "خالد",
    phone: "971500000205",
    green: false,
    lines: &[
        lead(6 * DAY, "السلام عليكم، أحتاج رخصة تجارية"),
        bot(6 * DAY - 1, HELLO_AR),
        lead(6 * DAY - 10, "رخصة تجارية لمطعم"),
        told(6 * DAY - 11, "يسعدني ذلك. ما اسمك الكامل؟", &[("service", "Trade license")]),
        lead(6 * DAY - 20, "خالد عبدالله"),
        told(6 * DAY - 21, "شكراً خالد. ما جنسيتك؟", &[("name", "خالد عبدالله")]),
        lead(4 * DAY, "عماني"),
        with(4 * DAY - 1, Who::Refused(131_047), "ممتاز. سيجهز زميلي عرض السعر."),
        lead(2 * DAY, "🧾📎"),
        with(
            2 * DAY - 1,
            Who::Broken,
            "the attachment cannot be read: the provider's address for it has ended (131052)",
        ),
    ],
    labels: &["restaurant"],
    urgent: false,
    resolved: false,
    note: None,
    tasks: &[],
};

const MAYA: Chat = Chat {
    name: "Maya 🌸 مايا",
    phone: "971500000206",
    green: false,
    lines: &[
        lead(90, "Hi! مرحبا 😊"),
        bot(89, HELLO_EN),
        lead(80, "I want ejari please, عقد إيجار 🏠"),
        told(79, "Of course, Ejari. May I have your full name?", &[("service", "Ejari")]),
        lead(12, "Maya Haddad 🌷"),
        told(11, "Thank you, Maya. What is your nationality?", &[("name", "Maya Haddad")]),
        lead(4, "Lebanese 🇱🇧"),
        bot(3, "Perfect. Which e-mail and time suit you best for the quotation?"),
    ],
    labels: &[],
    urgent: false,
    resolved: false,
    note: None,
    tasks: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_six_leads_and_about_sixty_messages() {
        assert_eq!(CHATS.len(), 6);
        let lines: usize = CHATS.iter().map(|c| c.lines.len()).sum();
        assert!((50..=70).contains(&lines), "{lines}");
    }
}
