"""iq-lotse: a multilingual chat guide to counselling in Germany."""
