from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from allauth.account import signals as allauth_signals
        from django.contrib.auth import signals

        from accounts.sealing import places as sealed_places
        from accounts.sign_in import audit as sign_in_audit
        from accounts.sign_in import second_factor_seals

        signals.user_logged_in.connect(sign_in_audit.signed_in)
        signals.user_logged_out.connect(sign_in_audit.signed_out)
        signals.user_login_failed.connect(sign_in_audit.password_refused)
        allauth_signals.login_code_rejected.connect(sign_in_audit.mailed_code_refused)
        allauth_signals.email_changed.connect(sign_in_audit.email_changed)
        sealed_places.register(
            second_factor_seals.PLACE, second_factor_seals.reseal, second_factor_seals.under
        )
