"""Model providers as a plain library: types, stream decoding, adapters, catalogue.

No Django, no settings, no environment: addresses, keys and timeouts are arguments.
"""
