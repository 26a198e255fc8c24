"""Single sign-on: somebody else's door as ours.

    vendors      what is asked of each kind of provider, and where it is
    wire         requests to providers, over providers.outbound alone
    discovery    an OpenID provider's addresses
    id_tokens    what an OpenID provider signed, checked
    openid       the code flow of OpenID Connect
    github       the same of GitHub, which is no OpenID provider
    saml         a provider that speaks SAML 2.0, with saml_xml, saml_answers, saml_setup and saml_forms
    identities   who came, as the provider says it
    attempts     one way there and back: state, nonce, PKCE, one browser, once
    entering     whose account it is, whether one is made, and who is refused
    groups       teams and the role of admin that the provider's groups give
    connections  which providers a person is connected to
    providers    what admins do: drafts, tests, saving, switching off, removing
    sign_up      who may make an account
    other_ways   who must come by single sign-on, though they know a password

Not allauth's socialaccount: in the code flow it checks neither the ID token's signature nor its nonce, and it
calls typed addresses with a client of its own, past providers.outbound. What follows on the identity (second
step, proving an address, the session) is allauth's as for passwords.
"""
