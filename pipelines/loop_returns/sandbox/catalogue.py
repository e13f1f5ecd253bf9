"""What the synthetic shop sells, why people return it and who carries it. All invented."""

from __future__ import annotations

from typing import Any, Final

# title, product id, price in cents, sku prefix, variants
PRODUCTS: Final = (
    ("Black Striped Shirt", 29871298310292, 7800, "SHIRT-BS", ("XS", "S", "M", "L", "XL")),
    ("Linen Summer Shirt", 29871298310301, 6450, "SHIRT-LS", ("S", "M", "L", "XL")),
    ("Slim Chino", 29871298310318, 8900, "CHINO-SL", ("28", "30", "32", "34", "36")),
    ("High Rise Jeans", 29871298310325, 11900, "JEANS-HR", ("24", "26", "28", "30", "32")),
    ("Trail Boot", 29871298319999, 17500, "BOOT-TR", ("39", "40", "41", "42", "43", "44")),
    ("Canvas Sneaker", 29871298310332, 6900, "SNEAK-CV", ("38", "39", "40", "41", "42")),
    ("Merino Crew Sweater", 29871298310349, 12800, "KNIT-MC", ("S", "M", "L")),
    ("Wool Overcoat", 29871298310356, 32900, "COAT-WO", ("S", "M", "L", "XL")),
    ("Rain Shell", 29871298310363, 14900, "JACK-RS", ("S", "M", "L", "XL")),
    ("Wrap Dress", 29871298310370, 9800, "DRESS-WR", ("XS", "S", "M", "L")),
    ("Pleated Midi Skirt", 29871298310387, 8400, "SKIRT-PM", ("XS", "S", "M", "L")),
    ("Yoga Legging", 29871298310394, 7200, "LEG-YO", ("XS", "S", "M", "L", "XL")),
    ("Sports Bra", 29871298310400, 4400, "BRA-SP", ("S", "M", "L")),
    ("Cotton Crew Socks", 29871298310417, 1600, "SOCK-CC", ("One size",)),
    ("Leather Belt", 29871298310424, 5500, "BELT-LE", ("85", "95", "105")),
    ("Gift Candle", 29871298311111, 4000, "CANDLE", ("Fig", "Cedar")),
    ("Swim Trunks", 29871298310431, 4900, "SWIM-TR", ("S", "M", "L", "XL")),
    ("Down Vest", 29871298310448, 13900, "VEST-DO", ("S", "M", "L")),
)

# parent reason -> reasons below it
REASONS: Final = (
    ("Item didn't fit", ("Too small", "Too big", "Too long", "Too tight in the shoulders")),
    (
        "Didn't like it",
        ("I like another style more", "Colour differs from the picture", "Material feels cheap"),
    ),
    ("Damaged or defective", ("Sole detached", "Seam came apart", "Arrived damaged", "Zipper broken")),
    ("Changed my mind", ("No longer needed", "Found a better price", "Bought by mistake")),
    ("Wrong item", ("Received another item", "Received another size")),
)
REASON_WEIGHTS: Final = (46, 22, 12, 15, 5)
COMMENTS: Final = (
    "Runs a full size small, please send the next one.",
    "Came apart after one walk",
    "Nice quality but the colour is much darker than on the website 🙁",
    "Trop petit, merci de l'échanger",
    "gift for my sister, she already had it",
    "N/A",
    "",
)

# name, service, tracking prefix, share
CARRIERS: Final = (
    ("USPS", "GroundAdvantage", "94001361054405", 52),
    ("UPS", "Ground", "1Z999AA1", 26),
    ("FedEx", "FEDEX_GROUND", "7712", 14),
    ("DHL eCommerce", None, "420", 8),
)
COUNTRIES: Final = (
    ("United States", "US", "USD", 78),
    ("Canada", "CA", "CAD", 12),
    ("United Kingdom", "GB", "GBP", 6),
    ("Germany", "DE", "EUR", 4),
)
RATES: Final = {"USD": 1.0, "CAD": 1.36, "GBP": 0.79, "EUR": 0.92}  # value of one dollar
EXPONENTS: Final = {"JPY": 0, "KWD": 3}  # decimals of a currency's smallest unit; 2 for all others
GIVEN_NAMES: Final = (
    "ada",
    "ben",
    "carla",
    "dev",
    "elif",
    "finn",
    "grace",
    "hugo",
    "ines",
    "jun",
    "kira",
    "liam",
)
FAMILY_NAMES: Final = (
    "archer",
    "baker",
    "cooper",
    "dyer",
    "fisher",
    "glover",
    "mason",
    "porter",
    "smith",
    "weaver",
)
INSPECTORS: Final = ("grader.one@example.com", "grader.two@example.com")
GRADES: Final = ("grade_a", "grade_b", "grade_c", "unsellable")
DISPOSITIONS: Final = ("back_to_stock", "resale_hold", "recycle", "donate")

DESTINATIONS: Final[tuple[dict[str, Any], ...]] = (
    {
        "id": 12345,
        "type": "warehouse",
        "name": "Example Destination",
        "enabled": True,
        "provider_location_id": 42424242,
        "address": {
            "name": "Example Warehouse",
            "company": "Example Co",
            "address1": "123 Main St",
            "address2": "Unit 456",
            "city": "Columbus",
            "state": "Ohio",
            "zip": "43210",
            "country": "United States",
            "country_code": "US",
        },
    },
    {
        "id": 12346,
        "type": "warehouse",
        "name": "Example West",
        "enabled": True,
        "provider_location_id": 42424243,
        "address": {
            "name": "Example West",
            "company": None,
            "address1": "77 Harbor Rd",
            "address2": None,
            "city": "Reno",
            "state": "Nevada",
            "zip": "89502",
            "country": "United States",
            "country_code": "US",
        },
    },
    {
        "id": 12347,
        "type": "donate",
        "name": "Example Charity",
        "enabled": False,
        "provider_location_id": None,
        "address": {
            "address1": "1 Giving Way",
            "address2": None,
            "city": "Dublin",
            "state": None,
            "zip": None,
            "country": "Ireland",
            "country_code": "IE",
        },
    },
)
