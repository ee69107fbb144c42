"""Fake sensor trees and cards; no test here needs a sensor."""
