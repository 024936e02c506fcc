//! Entities at first sight, over businesses of all kinds: what counts and what only has a number, who is meant by a demonym, when, and what is
//! asked for. Sentences of our own; the rules are those by which the leads are labelled.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail loudly too")]

use nlu::{Background, Reader, Slot};

fn with_reader<T>(work: impl FnOnce(&Reader, &Background) -> T) -> T {
    thread_local!(static READER: (Reader, Background) = (Reader::new().unwrap(), Background::new(&[], "AE").unwrap()));
    READER.with(|(reader, background)| work(reader, background))
}

/// The value that is read must be this one.
fn same(slot: Slot, cases: &[(&str, &str)]) {
    let wrong: Vec<String> = with_reader(|reader, background| {
        cases
            .iter()
            .filter_map(|(text, want)| {
                let entities = reader.read(text, background, None, None).entities;
                let found = match slot {
                    Slot::Nationality => entities.nationality_iso,
                    _ => entities.get(slot).map(|e| e.value.clone()),
                };
                (found.as_deref().unwrap_or("") != *want).then(|| format!("{text:?}: wanted {want:?}, found {found:?}"))
            })
            .collect()
    });
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// What is read must overlap these words of the text, and leave out what stands behind a bar; nothing wanted, nothing read.
fn overlaps(slot: Slot, cases: &[(&str, &str)]) {
    let wrong: Vec<String> = with_reader(|reader, background| {
        cases
            .iter()
            .filter_map(|(text, want)| {
                let entities = reader.read(text, background, None, None).entities;
                let found = entities.get(slot);
                let (want, without) = want.split_once('|').unwrap_or((want, ""));
                let right = match found {
                    None => want.is_empty(),
                    Some(e) if !want.is_empty() => {
                        let at = text.find(want).unwrap();
                        at < e.place.end
                            && e.place.start < at + want.len()
                            && (without.is_empty() || !text[e.place.clone()].contains(without))
                    }
                    Some(_) => false,
                };
                let found = found.map(|e| &text[e.place.clone()]);
                (!right).then(|| format!("{text:?}: wanted {want:?} without {without:?}, found {found:?}"))
            })
            .collect()
    });
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn what_is_counted_is_a_quantity() {
    same(
        Slot::Quantity,
        &[
            ("أبغى طاولة لأربعة أشخاص الليلة", "4"),
            ("احجز لنا طاولة لخمسة", "5"),
            ("نحتاج غرفة اجتماعات لعشرة أشخاص", "10"),
            ("عندي ترجمة بعشر صفحات", "10"),
            ("سبعة عمال وثلاثة سواقين", "7"),
            ("كم سعر تأشيرة لثلاثة عمال", "3"),
            ("أريد برجر وثلاث بيتزا", "3"),
            ("حفلة لعشرين طفل", "20"),
            ("توصيل لخمسة عشر شخص", "15"),
            ("نبي بوفيه لخمسين شخص", "50"),
            ("بوفيه لمية شخص", "100"),
            ("هات حبتين من الكيك", "2"),
            ("ابي علبتين حلاوة", "2"),
            ("احنا نفرين نبي طاولة", "2"),
            ("احجز لي تذكرتين", "2"),
            ("اريد تذكرتين لدبي", "2"),
            ("كرسيين بلاستيك لو سمحت", "2"),
            ("بدي فستانين للعيد", "2"),
            ("عايز بيتزتين كبار", "2"),
            ("ابغى حبة وحدة بس", "1"),
            ("قطعة واحدة من العطر", "1"),
            ("نسختين من العقد", "2"),
            ("كم رسوم تجديد إقامتين؟", "2"),
            ("جهازين ايفون مستعمل", "2"),
            ("ابي كيكتين بالشوكولاتة", "2"),
            ("فيزا لعاملين", "2"),
            ("سيارتين لمدة أسبوع", "2"),
            ("rent l 2 personnes", "2"),
            ("table l 4 anfar", "4"),
            ("abgha table la 6 ash5as", "6"),
            ("bidi a7jez tawla la 5 ashkhas", "5"),
            ("3ayez 2 pizza w 3 cola", "2"),
            ("tawla l arba3a anfar", "4"),
            ("3 nafar bas", "3"),
            ("abi 7abtein men el cake", "2"),
            ("bghit table l 3 dyal nass", "3"),
            ("une table pour 4 personnes", "4"),
            ("table for two tonight", "2"),
            ("a table for six please", "6"),
            ("we are a group of 8", "8"),
            ("party of five at 8pm", "5"),
            ("book umrah package for 4 adults and 2 kids", "4"),
            ("I need 3 pizzas and 2 colas", "3"),
            ("I want to rent 2 cars for a week", "2"),
            ("ordered 3 shirts, only 2 came", "3"),
            ("need translation of 12 pages by tomorrow", "12"),
            ("200 printed tshirts with logo, what price?", "200"),
            ("how much for 8 chairs and a table", "8"),
            ("visa for 3 employees", "3"),
            ("haircut for my two sons", "2"),
            ("me and my wife and 2 kids, family package?", "2"),
            ("facial for 2 ladies on friday", "2"),
            ("do you have 500 business cards ready", "500"),
            ("send me twenty five water bottles", "25"),
            ("a dozen roses", "12"),
            ("half dozen cupcakes", "6"),
            ("نبي ٣٠ كرسي و ٥ طاولات", "30"),
            ("ثلاث عبايات سوداء", "3"),
            ("خمس وعشرين علبة تمر", "25"),
            ("مطلوب عدد أربع مكيفات", "4"),
            ("شخصين وطفل", "2"),
            ("لثلاثة لو سمحت طاولة", "3"),
        ],
    );
}

#[test]
fn persons_goods_and_pages_are_counted_in_any_order() {
    same(
        Slot::Quantity,
        &[
            ("احجز لأربعة بكرة المغرب", "4"),
            ("table for 4 at 8pm tomorrow", "4"),
            ("we are 6 tomorrow night", "6"),
            ("احنا ٦ بكرة", "6"),
            ("بدنا نحجز لسبعة أنفار", "7"),
            ("غداء لستة أشخاص", "6"),
            ("رحلة لثمانية ركاب", "8"),
            ("طلبت أربع كراسي ووصل ثلاثة", "4"),
            ("3 haircuts and 1 beard trim", "3"),
            ("i need four shirts ironed", "4"),
            ("ten copies of my passport", "10"),
            ("عايزة ٣ فساتين سواريه", "3"),
            ("محتاج تلات كراسي", "3"),
            ("نفر واحد كم السعر", "1"),
            ("ابا دزينتين كب كيك", "2"),
            ("2 tickets to istanbul on friday", "2"),
            ("room for my 3 colleagues, desk each", "3"),
            ("l 5 dyal nas", "5"),
            ("bidi 3 7abbat", "3"),
            ("3 anfar w tefl", "3"),
            ("عندي موظفين اثنين محتاجين تأمين", "2"),
        ],
    );
}

#[test]
fn a_number_that_counts_nothing_is_no_quantity() {
    same(
        Slot::Quantity,
        &[
            ("this is the third time I complain", ""),
            ("your clinic is on the second floor?", ""),
            ("المرة الثالثة وأنا أتصل", ""),
            ("للمرة الثانية الطلب غلط", ""),
            ("الطابق الخامس؟", ""),
            ("ثالث مرة تتأخرون", ""),
            ("second hand laptop available?", ""),
            ("toyota 2020 model for rent", ""),
            ("do you have 2023 nissan patrol", ""),
            ("سيارة موديل ٢٠١٩", ""),
            ("كامري 2021 متوفرة؟", ""),
            ("calendar 2026 printed", ""),
            ("how much is a one way ticket to cairo", ""),
            ("rent a car for 3 days", ""),
            ("سيارة لمدة ثلاثة أيام", ""),
            ("لمدة خمسة أشهر", ""),
            ("waited two hours for nothing", ""),
            ("my son is 7 years old", ""),
            ("ولدي عمره ست سنوات", ""),
            ("course for a 5 year old", ""),
            ("عندكم شقة غرفتين وصالة", ""),
            ("شقة ثلاث غرف", ""),
            ("3 bedroom villa", ""),
            ("dress size 38", ""),
            ("paid 250 for nothing", ""),
            ("دفعت ميتين درهم", ""),
            ("دفعت ألف درهم مقدم", ""),
            ("budget around 3000", ""),
            ("a 5 star hotel", ""),
            ("two weeks and no answer", ""),
            ("ساعتين وانا انتظر", ""),
            ("مرتين اتصلت وما رديتوا", ""),
            ("first class ticket", ""),
            ("level 2 german course", ""),
            ("terminal 3 pickup", ""),
            ("55 inch tv", ""),
            ("ps5 in stock?", ""),
            ("one of your drivers was rude", ""),
            ("which one is cheaper", ""),
            ("24 hour delivery?", ""),
            ("12 hours late", ""),
            ("sa3tein w ana mestanni", ""),
            ("tani marra yegi el order ghalat", ""),
            ("appointment at ten please", ""),
            ("the 2nd time this week your driver is late", ""),
            ("لست راضي عن الخدمة", ""),
            ("ارسلوا لستة الأسعار", ""),
            ("من ثلاثة لخمسة العصر", ""),
            ("بعشرة دراهم؟", ""),
            ("سعرها بألف؟", ""),
            ("second branch location?", ""),
            ("رابع مرة اطلب ويجي غلط", ""),
            ("land cruiser 2018 with driver", ""),
            ("rent for 6 months", ""),
            ("grade 3 math tutor", ""),
            ("gate 4, building 12", ""),
            ("iphone 14 pro max price", ""),
            ("lexus lx 570 for rent", ""),
            ("1990 vintage watch", ""),
            ("2 bedroom apartment", ""),
            ("حوالي 200 درهم", ""),
        ],
    );
}

#[test]
fn a_demonym_with_a_cue_of_who_may_is_a_nationality() {
    same(
        Slot::Nationality,
        &[
            ("can indians get a tourist visa", "IN"),
            ("is it open for filipinos", "PH"),
            ("available to pakistani nationals?", "PK"),
            ("do you give car on rent to egyptians", "EG"),
            ("is visa on arrival for jordanians possible", "JO"),
            ("are nigerians allowed to apply", "NG"),
            ("do kenyans need a visa", "KE"),
            ("loan for syrians", "SY"),
            ("what documents for lebanese citizens", "LB"),
            ("discount for emiratis?", "AE"),
            ("course for sudanese students", "SD"),
            ("package for moroccans", "MA"),
            ("does the offer apply to saudis", "SA"),
            ("is it allowed for pakistani passport holders", "PK"),
            ("الفيزا متاحة للمصريين؟", "EG"),
            ("كم رسوم الإقامة للهنود", "IN"),
            ("هل يقدر السوريين يفتحون رخصة", "SY"),
            ("الباقة للسعوديين بكم", "SA"),
            ("في عروض للمغاربة", "MA"),
            ("التأشيرة للأردنيين", "JO"),
            ("تأمين للباكستانيين", "PK"),
            ("هل مسموح للعراقيين", "IQ"),
            ("تأجير سيارات للكويتيين", "KW"),
            ("للأتراك كم السعر", "TR"),
            ("visa lel masreyeen bikam", "EG"),
            ("fe visa lel souriyeen?", "SY"),
            ("lal lebnaniyeen fi discount?", "LB"),
            ("للأجانب متاح؟", ""),
            ("الفيزا لغير المواطنين", ""),
            ("open for foreigners?", ""),
            ("is it for non residents", ""),
            ("do you have indian food", ""),
            ("turkish coffee price", ""),
            ("مطعم هندي", ""),
            ("lebanese restaurant near me", ""),
            ("italian language course", ""),
            ("عطر فرنسي اصلي", ""),
            ("شحن للأردن", ""),
            ("korean skin care products", ""),
            ("كورس انجليزي للأطفال", ""),
            ("can egyptians enroll", "EG"),
            ("do ethiopians get the discount", "ET"),
            ("للسودانيين فيه تأشيرة؟", "SD"),
            ("هل تقبلون المغاربة", "MA"),
            ("التسجيل مفتوح للعمانيين", "OM"),
            ("lel hnood fe visa?", "IN"),
            ("is car rental ok for british tourists", "GB"),
            ("تأشيرة لليمنيين", "YE"),
            ("for nepali passport", "NP"),
            ("can non emiratis own", ""),
            ("لغير السعوديين", ""),
            ("turkish delight 2 boxes", ""),
            ("سجاد ايراني", ""),
            ("any american fridge", ""),
            ("مانجو هندي بكم", ""),
            ("brazilian blowout price", ""),
            ("swedish massage", ""),
            ("رحلة الى تركيا", ""),
        ],
    );
}

#[test]
fn when_is_a_time_and_how_long_is_none() {
    overlaps(
        Slot::Time,
        &[
            ("can you deliver on the 20th", "the 20th"),
            ("book the table for the 14th", "14th"),
            ("we arrive on 5th, pickup possible?", "5th"),
            ("I want the car starting sunday", "sunday"),
            ("سيارة ابتداء من الخميس", "الخميس"),
            ("من يوم الأحد نحتاج السيارة", "يوم الأحد"),
            ("need a nanny starting from monday", "monday"),
            ("are you open on eid", "eid"),
            ("do you work in ramadan", "ramadan"),
            ("فاتحين العيد؟", "العيد"),
            ("تشتغلون في رمضان؟", "رمضان"),
            ("دوامكم ثاني يوم العيد؟", "العيد"),
            ("fat7een fil 3eed?", "3eed"),
            ("is the clinic open on first day of eid", "eid"),
            ("deliver it on friday the 3rd", "friday"),
            ("pick me up at 7 from the airport", "at 7"),
            ("call me at half past six", "half past six"),
            ("table for tonight", "tonight"),
            ("احجز لي بكرة الساعة ثمانية", "بكرة"),
            ("موعد بتاريخ ١٥/٣", "١٥/٣"),
            ("يوم ٢٠ الشهر الجاي", "٢٠"),
            ("بدي موعد عند الدكتورة يوم التلاتا", "يوم التلاتا"),
            ("the dress ripped after one week", ""),
            ("the fridge stopped after 10 days", ""),
            ("waiting since monday, no driver came", ""),
            ("no reply from you since sunday", ""),
            ("الغسالة خربت بعد أسبوع", ""),
            ("بعد عشر أيام خربت", ""),
            ("من الأحد وأنا انتظر الطلب ما وصل", ""),
            ("you said monday and it is thursday, nothing arrived", ""),
            ("the paint came off within 2 days", ""),
            ("rent a car for 3 days", ""),
            ("سيارة لمدة اسبوع", ""),
            ("broke after 2 hours of use", ""),
            ("it died after two days", ""),
            ("اشتريته قبل شهر وخرب بعد يومين", ""),
            ("delivery by the 25th please", "the 25th"),
            ("check in on the 7th and out on the 9th", "the 7th"),
            ("نبدأ ابتداءً من الأحد", "الأحد"),
            ("starting tuesday i need a cleaner", "tuesday"),
            ("table for four at 8pm", "8pm|four"),
            ("is the pharmacy open friday night", "friday night"),
            ("هل المعرض فاتح أول أيام العيد", "العيد"),
            ("on the 3rd floor there is a smell", ""),
            ("the 2nd pair is smaller", ""),
            ("the colour faded after 3 washes", ""),
            ("من يوم الجمعة وانا انتظر", ""),
            ("لمدة ثلاث أيام", ""),
            ("كم باقي على رمضان", ""),
            ("since 5 days no water", ""),
            ("من شهر وأنا أنتظر الثلاجة", ""),
            ("المندوب قال يومين وما جا", ""),
        ],
    );
}

#[test]
fn what_is_asked_for_is_the_service() {
    overlaps(
        Slot::Service,
        &[
            ("كم سعر الشحنة للأردن", "الشحنة|للأردن"),
            ("ابي سيارة لمدة اسبوع", "سيارة|لمدة"),
            ("بكام الكشف عند دكتور العيون", "الكشف|عند"),
            ("الكشف عندكم بكام؟", "الكشف"),
            ("تنظيف البشرة بكم؟", "تنظيف البشرة"),
            ("البيتزا الكبيرة بكام", "البيتزا"),
            ("شحال هاد السروال", "السروال"),
            ("قديش حق الجاكيت", "الجاكيت"),
            ("بشحال القفطان", "القفطان"),
            ("الفستان الأحمر بكم", "الفستان"),
            ("المكيف خربان من البارح", "المكيف"),
            ("الشحنة تأخرت وما وصلت", "الشحنة"),
            ("الغسالة وصلت مكسورة", "الغسالة"),
            ("التورتة وصلت بايظة", "التورتة"),
            ("الثوب مقاسه غلط", "الثوب"),
            ("السيارة تعطلت في الطريق", "السيارة"),
            ("الأكل وصل بارد", "الأكل"),
            ("البرغر كان بارد ومحروق", "البرغر"),
            ("is the dermatologist in today", "dermatologist"),
            ("is the dentist available on friday", "dentist"),
            ("do you have a gynecologist", "gynecologist"),
            ("how much is the hydrafacial", "hydrafacial"),
            ("how much are the blue jeans", "blue jeans"),
            ("price of root canal", "root canal"),
            ("what's the price of keratin", "keratin"),
            ("do you have lehenga in red", "lehenga"),
            ("do you have croissants", "croissants"),
            ("do you sell hijabs", "hijabs"),
            ("200 printed tshirts with logo", "printed tshirts"),
            ("8 chairs and do you charge VAT?", "chairs"),
            ("50 mugs with our logo please", "mugs"),
            ("the jacket I bought is torn", "jacket"),
            ("my pizza arrived cold", "pizza"),
            ("the curtains you installed fell down", "curtains"),
            ("I want to rent a car for 3 days", "car|days"),
            ("a7jez sayara l 3 ayam", "sayara|ayam"),
            ("bikam el kashf", "kashf"),
            ("el mokayef 5arban", "mokayef"),
            ("el gazma so8ayara 3alaya", "gazma"),
            ("I want to book a city tour in istanbul", "city tour"),
            ("أبغى أسجل في دورة الطبخ", "دورة الطبخ"),
            ("عندكم كرواسون بالجبن؟", "كرواسون"),
            ("في عندكم جلسات ليزر", "ليزر"),
            ("محتاج سباك ضروري", "سباك"),
            ("طلبت شورت وجاني بنطلون", "شورت"),
            ("how much for a men's haircut", "haircut"),
            ("السندويشات وصلت باردة", "السندويشات"),
            ("التكييف ما يبرد", "التكييف"),
            ("اللابتوب بكم", "اللابتوب"),
            ("الدورة بكام وامتى تبدأ", "الدورة"),
            ("باقة العمرة بكم", "العمرة"),
            ("عندكم قفطان مغربي", "قفطان"),
            ("do you have paella", "paella"),
            ("how much is the snorkeling trip", "snorkeling trip"),
            ("is the pediatrician in tomorrow", "pediatrician"),
            ("price for teeth whitening", "teeth whitening"),
            ("the sandals came broken", "sandals"),
            ("my parcel arrived open", "parcel"),
            ("المشوار للمطار بكم", "المشوار"),
            ("100 pens with company logo", "pens"),
            ("30 caps, is VAT included?", "caps"),
            ("bch7al el caftan", "caftan"),
            ("adeh el bantalon", "bantalon"),
            ("ابي بدلة رجالية للعرس", "بدلة رجالية"),
            ("do you have size 40 in the white sneakers", "sneakers"),
            ("two medium margherita pizza extra cheese to room 12", "pizza"),
            ("when does the yoga start again", "yoga"),
            ("enrol my daughter for karate please", "karate"),
            ("ok send the mattress to my office", "mattress"),
            ("لسه الكنبة موجودة؟", "الكنبة"),
            ("وين وصلت الثلاجة", "الثلاجة"),
            ("احنا ناطرين البيتزا من ساعة", "البيتزا"),
        ],
    );
}

#[test]
fn who_asks_for_nothing_has_no_service() {
    overlaps(
        Slot::Service,
        &[
            ("I'm an accountant looking for job, 5 years experience", ""),
            ("محاسبة خبرة خمس سنوات ابحث عن وظيفة", ""),
            ("we offer SEO services for your business", ""),
            ("we are a marketing agency and can grow your sales", ""),
            ("do you work on friday", ""),
            ("are you working today", ""),
            ("نقدم خدمات تصميم مواقع لشركتكم", ""),
            ("call me please", ""),
            ("your staff is rude", ""),
            ("سايق خبرة ادور شغل", ""),
            ("الفاتورة غلط", ""),
            ("looking for a job as barista", ""),
            ("سكرتيرة ادور وظيفة خبرة ٣ سنوات", ""),
            ("we provide cleaning staff to hotels at best rates", ""),
            ("نوفر لكم خدمات تسويق الكتروني", ""),
            ("الموظف تعامله سيء", ""),
            ("ring me about nothing in particular", ""),
            ("someone from your team please", ""),
            ("I am in the villa now, call me", ""),
            ("thanks dear, nice day", ""),
        ],
    );
}
