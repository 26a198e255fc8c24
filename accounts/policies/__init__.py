"""Who may use which models and features: the rules, and what they come to for one person (docs/policy.md).

features  -> the closed list of what can be allowed and refused beside models
rules     -> one rule, and all of them
standing  -> a person before the rules: what they may, and by which
store     -> reads and changes

What a call asks for is read by usage.policy, the one function that every door asks.
"""
