"""Access control of the API, and the response to an accepted webhook."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Duration, Stack, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_wafv2 as wafv2
from aws_cdk.assertions import Annotations, Match, Template

from cdk_scalable_webhook import Acknowledgement, ApiOptions, Ingress, ScalableWebhook, Source
from cdk_scalable_webhook.endpoint.templates import literal

from ..grouped import grouped
from ..test_webhook import logical_id, resources

Synth = Callable[..., Template]

INGRESSES = {
    "lambda": Ingress.lambda_integration(),
    "direct": Ingress.direct_integration(),
    "binary": Ingress.direct_integration(binary=True),
}
ingresses = pytest.mark.parametrize("ingress", INGRESSES.values(), ids=INGRESSES)


def methods(template: Template, http_method: str) -> list[dict[str, Any]]:
    """Return the methods of this name: one for the path of the endpoint, and one for all paths below it."""
    found = [m for m in resources(template, "AWS::ApiGateway::Method").values() if m["HttpMethod"] == http_method]
    assert len(found) in (0, 2)
    return found


def statements(template: Template) -> list[dict[str, Any]]:
    (api,) = resources(template, "AWS::ApiGateway::RestApi").values()
    found: list[dict[str, Any]] = api.get("Policy", {}).get("Statement", [])
    return found


def domain(stack: Stack, **options: Any) -> apigateway.DomainNameOptions:
    certificate = acm.Certificate.from_certificate_arn(
        stack, "Certificate", "arn:aws:acm:us-east-1:111122223333:certificate/one"
    )
    return apigateway.DomainNameOptions(domain_name="hooks.example.com", certificate=certificate, **options)


def test_by_default_the_endpoint_is_public_and_has_no_domain(stack: Stack) -> None:
    webhook = ScalableWebhook(stack, "Webhook")
    template = Template.from_stack(stack)
    for method in methods(template, "ANY"):
        assert (method["AuthorizationType"], method.get("ApiKeyRequired", False)) == ("NONE", False)
    assert statements(template) == []
    for type in (
        "ApiGateway::ApiKey",
        "ApiGateway::UsagePlan",
        "ApiGateway::DomainName",
        "ApiGateway::GatewayResponse",
    ):
        template.resource_count_is(f"AWS::{type}", 0)
    template.resource_count_is("AWS::WAFv2::WebACLAssociation", 0)
    template.has_resource_properties("AWS::ApiGateway::RestApi", {"DisableExecuteApiEndpoint": False})
    assert "Access-Control" not in json.dumps(template.to_json())
    assert (webhook.api_key, webhook.usage_plan, webhook.web_acl) == (None, None, None)


class TestAnApiKey:
    def test_is_required_by_every_method_and_its_usage_plan_has_the_stage(self, stack: Stack) -> None:
        webhook = ScalableWebhook(
            stack, "Webhook", api=ApiOptions(api_key=True, throttling_rate_limit=50, throttling_burst_limit=20)
        )
        template = Template.from_stack(stack)
        assert [method["ApiKeyRequired"] for method in methods(template, "ANY")] == [True, True]
        stage = {"ApiId": {"Ref": logical_id(webhook.api)}, "Stage": {"Ref": logical_id(webhook.api.deployment_stage)}}
        template.has_resource_properties(
            "AWS::ApiGateway::UsagePlan",
            {"ApiStages": [Match.object_like(stage)], "Throttle": {"RateLimit": 50, "BurstLimit": 20}},
        )
        assert webhook.usage_plan is not None
        assert isinstance(webhook.api_key, apigateway.ApiKey)
        key, plan = {"Ref": logical_id(webhook.api_key)}, {"Ref": logical_id(webhook.usage_plan)}
        template.has_resource_properties("AWS::ApiGateway::UsagePlanKey", {"KeyId": key, "UsagePlanId": plan})

    def test_may_be_an_existing_one(self, stack: Stack) -> None:
        own = apigateway.ApiKey.from_api_key_id(stack, "Own", "abc")
        webhook = ScalableWebhook(stack, "Webhook", api=ApiOptions(api_key=own))
        template = Template.from_stack(stack)
        template.resource_count_is("AWS::ApiGateway::ApiKey", 0)
        template.has_resource_properties("AWS::ApiGateway::UsagePlanKey", {"KeyId": "abc"})
        assert webhook.api_key is own

    def test_has_both_limits_of_the_stage_if_only_one_is_given(self, synth: Synth) -> None:
        template = synth(api_key=True, throttling_rate_limit=Token.as_number({"Ref": "Rate"}))
        template.has_resource_properties(
            "AWS::ApiGateway::UsagePlan", {"Throttle": {"RateLimit": {"Ref": "Rate"}, "BurstLimit": 2000}}
        )
        setting = {"ThrottlingRateLimit": {"Ref": "Rate"}, "ThrottlingBurstLimit": 2000}
        template.has_resource_properties("AWS::ApiGateway::Stage", {"MethodSettings": [Match.object_like(setting)]})

    def test_may_have_limits_that_only_deployment_knows(self, synth: Synth) -> None:
        rate, burst = (Token.as_number({"Ref": name}) for name in ("Rate", "Burst"))
        synth(api_key=True, throttling_rate_limit=rate, throttling_burst_limit=burst).has_resource_properties(
            "AWS::ApiGateway::UsagePlan", {"Throttle": {"RateLimit": {"Ref": "Rate"}, "BurstLimit": {"Ref": "Burst"}}}
        )


class TestIpRanges:
    RANGES = ("203.0.113.0/24", "2001:db8::/32")

    def test_deny_every_other_address(self, synth: Synth) -> None:
        deny, allow = statements(synth(allowed_ip_ranges=self.RANGES))
        any_client = {"Action": "execute-api:Invoke", "Principal": "*", "Resource": "execute-api:/*"}
        elsewhere = {"NotIpAddress": {"aws:SourceIp": [*self.RANGES]}}
        assert deny == any_client | {"Effect": "Deny", "Condition": elsewhere}
        assert allow == any_client | {"Effect": "Allow"}

    def test_may_be_known_only_at_deployment(self, synth: Synth) -> None:
        template = synth(allowed_ip_ranges=[Token.as_string({"Ref": "Range"})])
        assert statements(template)[0]["Condition"] == {"NotIpAddress": {"aws:SourceIp": [{"Ref": "Range"}]}}

    def test_with_iam_allow_no_client_without_a_permission(self, synth: Synth) -> None:
        # Within an account an Allow of the policy would be enough for any principal that can sign.
        (deny,) = statements(synth(allowed_ip_ranges=self.RANGES, iam_authorization=True))
        assert deny["Effect"] == "Deny"

    def test_with_iam_allow_only_preflights_which_are_unsigned(self, synth: Synth) -> None:
        cors = apigateway.CorsOptions(allow_origins=["*"])
        deny, allow = statements(synth(allowed_ip_ranges=self.RANGES, iam_authorization=True, cors=cors))
        assert deny["Effect"] == "Deny"
        assert (allow["Effect"], allow["Resource"]) == ("Allow", "execute-api:/*/OPTIONS/*")


class TestIam:
    def invoke(self, template: Template) -> list[Any]:
        (policy,) = (
            p for p in resources(template, "AWS::IAM::Policy").values() if "execute-api:Invoke" in json.dumps(p)
        )
        (statement,) = policy["PolicyDocument"]["Statement"]
        granted = statement["Resource"]
        return [arn["Fn::Join"][1][-1] for arn in ([granted] if isinstance(granted, dict) else granted)]

    def client(self, stack: Stack) -> iam.Role:
        return iam.Role(stack, "Client", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))

    def test_is_required_by_every_method(self, synth: Synth) -> None:
        template = synth(iam_authorization=True)
        assert [method["AuthorizationType"] for method in methods(template, "ANY")] == ["AWS_IAM", "AWS_IAM"]
        assert statements(template) == []

    @pytest.mark.parametrize(("path", "granted"), [("/", ["/*/*"]), ("/a/b", ["/*/a/b", "/*/a/b/*"])])
    def test_is_granted_for_the_path_of_the_endpoint_and_all_paths_below(
        self, path: str, granted: list[str], stack: Stack
    ) -> None:
        ScalableWebhook(stack, "Webhook", path=path, api=ApiOptions(iam_authorization=True)).grant_invoke(
            self.client(stack)
        )
        template = Template.from_stack(stack)
        assert self.invoke(template) == granted
        assert statements(template) == []

    def test_is_granted_to_another_account_by_the_policy_of_the_api_too(self, stack: Stack) -> None:
        webhook = ScalableWebhook(stack, "Webhook", path="/hooks", api=ApiOptions(iam_authorization=True))
        webhook.grant_invoke(iam.ArnPrincipal("arn:aws:iam::444455556666:role/client"))
        (allow,) = statements(Template.from_stack(stack))
        assert allow["Principal"] == {"AWS": "arn:aws:iam::444455556666:role/client"}
        assert allow["Resource"] == ["execute-api:/*/*/hooks", "execute-api:/*/*/hooks/*"]

    def test_is_not_granted_for_an_endpoint_without_iam_authorization(self, stack: Stack) -> None:
        webhook = ScalableWebhook(stack, "Webhook")
        with pytest.raises(ValueError, match="grant_invoke needs iam_authorization=True, got an endpoint"):
            webhook.grant_invoke(self.client(stack))


class TestAWebAcl:
    def rules(self, template: Template) -> dict[str, list[str]]:
        (acl,) = resources(template, "AWS::WAFv2::WebACL").values()
        assert (acl["Scope"], acl["DefaultAction"]) == ("REGIONAL", {"Allow": {}})
        assert all(rule["OverrideAction"] == {"None": {}} for rule in acl["Rules"])
        groups = [rule["Statement"]["ManagedRuleGroupStatement"] for rule in acl["Rules"]]
        return {group["Name"]: [o["Name"] for o in group.get("RuleActionOverrides", [])] for group in groups}

    def test_has_managed_rules_that_reject_no_payload(self, synth: Synth) -> None:
        rules = self.rules(synth(web_acl=True))
        assert list(rules) == [
            "AWSManagedRulesAmazonIpReputationList",
            "AWSManagedRulesKnownBadInputsRuleSet",
            "AWSManagedRulesCommonRuleSet",
        ]
        # The rules of these groups that look at the body, as AWS lists them.
        # https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
        body = {
            "SizeRestrictions_BODY",
            "EC2MetaDataSSRF_BODY",
            "GenericLFI_BODY",
            "GenericRFI_BODY",
            "CrossSiteScripting_BODY",
            "JavaDeserializationRCE_BODY",
            "Log4JRCE_BODY",
            "ReactJSRCE_BODY",
        }
        assert {name for counted in rules.values() for name in counted} == body | {"NoUserAgent_HEADER"}

    def test_is_associated_with_the_stage(self, stack: Stack) -> None:
        webhook = ScalableWebhook(stack, "Webhook", api=ApiOptions(web_acl=True))
        assert webhook.web_acl is not None
        arn = stack.resolve(webhook.api.deployment_stage.stage_arn)
        Template.from_stack(stack).has_resource_properties(
            "AWS::WAFv2::WebACLAssociation",
            {"ResourceArn": arn, "WebACLArn": {"Fn::GetAtt": [stack.get_logical_id(webhook.web_acl), "Arn"]}},
        )

    def test_may_be_an_existing_one(self, stack: Stack) -> None:
        own = wafv2.CfnWebACL(
            stack,
            "Own",
            scope="REGIONAL",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(block={}),
            visibility_config=wafv2.CfnWebACL.VisibilityConfigProperty(
                cloud_watch_metrics_enabled=True, metric_name="Own", sampled_requests_enabled=True
            ),
        )
        webhook = ScalableWebhook(stack, "Webhook", api=ApiOptions(web_acl=own))
        template = Template.from_stack(stack)
        template.resource_count_is("AWS::WAFv2::WebACL", 1)
        template.resource_count_is("AWS::WAFv2::WebACLAssociation", 1)
        assert webhook.web_acl is own


class TestADomain:
    def test_is_the_only_host_and_requires_tls_1_2(self, stack: Stack) -> None:
        webhook = ScalableWebhook(stack, "Webhook", api=ApiOptions(domain_name=domain(stack)))
        assert webhook.url == "https://hooks.example.com/"
        template = Template.from_stack(stack)
        template.has_resource_properties("AWS::ApiGateway::RestApi", {"DisableExecuteApiEndpoint": True})
        template.has_resource_properties(
            "AWS::ApiGateway::DomainName",
            {
                "DomainName": "hooks.example.com",
                "SecurityPolicy": "TLS_1_2",
                "EndpointConfiguration": {"Types": ["REGIONAL"]},
                "RegionalCertificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/one",
            },
        )
        outputs = {output["Description"]: output["Value"] for output in template.find_outputs("*").values()}
        assert outputs["Webhook URL of Stack/Webhook"] == "https://hooks.example.com/"
        assert webhook.api.domain_name is not None

    @pytest.mark.parametrize("base_path", ["v1", "v1/in"])
    def test_has_its_base_path_in_the_url(self, base_path: str, stack: Stack) -> None:
        webhook = ScalableWebhook(
            stack, "Webhook", path="/orders", api=ApiOptions(domain_name=domain(stack, base_path=base_path))
        )
        assert webhook.url == f"https://hooks.example.com/{base_path}/orders"

    def test_may_require_client_certificates(self, stack: Stack) -> None:
        mtls = apigateway.MTLSConfig(bucket=s3.Bucket.from_bucket_name(stack, "Bucket", "trust"), key="all.pem")
        ScalableWebhook(stack, "Webhook", api=ApiOptions(domain_name=domain(stack, mtls=mtls)))
        template = Template.from_stack(stack)
        template.has_resource_properties(
            "AWS::ApiGateway::DomainName", {"MutualTlsAuthentication": {"TruststoreUri": "s3://trust/all.pem"}}
        )
        template.has_resource_properties("AWS::ApiGateway::RestApi", {"DisableExecuteApiEndpoint": True})

    def test_keeps_a_given_security_policy(self, stack: Stack) -> None:
        policy = apigateway.SecurityPolicy.TLS13_1_3_2025_09
        mode = apigateway.EndpointAccessMode.STRICT
        options = domain(stack, security_policy=policy, endpoint_access_mode=mode)
        ScalableWebhook(stack, "Webhook", api=ApiOptions(domain_name=options))
        Template.from_stack(stack).has_resource_properties(
            "AWS::ApiGateway::DomainName", {"SecurityPolicy": "SecurityPolicy_TLS13_1_3_2025_09"}
        )


class TestAnAcknowledgement:
    TWIML = Acknowledgement(200, "<Response>$x #if</Response>", "text/xml; charset=utf-8")

    def test_of_a_lambda_integration_is_a_setting_of_the_publisher(self, synth: Synth) -> None:
        functions = resources(synth(acknowledgement=self.TWIML), "AWS::Lambda::Function").values()
        (told,) = (
            variables["WEBHOOK_ACKNOWLEDGEMENT"]
            for variables in (function["Environment"]["Variables"] for function in functions)
            if "WEBHOOK_ACKNOWLEDGEMENT" in variables
        )
        assert json.loads(told) == {
            "status": 200,
            "body": "<Response>$x #if</Response>",
            "content_type": "text/xml; charset=utf-8",
        }

    @pytest.mark.parametrize("binary", [False, True])
    def test_of_a_direct_integration_is_the_answer_to_sqs_200_alone(self, binary: bool, synth: Synth) -> None:
        template = synth(ingress=Ingress.direct_integration(binary=binary), acknowledgement=self.TWIML)
        for method in methods(template, "ANY"):
            answers = method["Integration"]["IntegrationResponses"]
            assert [(a.get("SelectionPattern"), a["StatusCode"]) for a in answers] == [
                (None, "503"),
                ("200", "200"),
                ("4\\d{2}", "400"),
            ]
            types = [a.get("ResponseParameters") for a in answers]
            assert types == [None, {"method.response.header.Content-Type": "'text/xml; charset=utf-8'"}, None]
            # Velocity finds no reference and no directive in it.
            text = answers[1]["ResponseTemplates"]["application/json"]
            assert text == '$util.urlDecode("%3CResponse%3E%24x%20%23if%3C%2FResponse%3E")'
            declared = {response["StatusCode"]: response for response in method["MethodResponses"]}
            assert sorted(declared) == ["200", "400", "413", "503"]
            assert declared["200"]["ResponseParameters"] == {"method.response.header.Content-Type": True}

    def test_may_be_used_with_an_existing_api(self, stack: Stack) -> None:
        api = apigateway.RestApi(stack, "Own", binary_media_types=["*/*"])
        ScalableWebhook(stack, "Webhook", api=api, acknowledgement=Acknowledgement(204))
        variables = {"Environment": {"Variables": {"WEBHOOK_ACKNOWLEDGEMENT": Match.string_like_regexp("204")}}}
        Template.from_stack(stack).has_resource_properties("AWS::Lambda::Function", variables)


class TestCors:
    CORS = apigateway.CorsOptions(
        allow_origins=["https://example.com"],
        allow_credentials=True,
        expose_headers=["X-One", "X-Two"],
        max_age=Duration.minutes(1),
    )
    HEADERS = {
        "Access-Control-Allow-Origin": "'https://example.com'",
        "Vary": "'Origin'",
        "Access-Control-Allow-Credentials": "'true'",
        "Access-Control-Expose-Headers": "'X-One,X-Two'",
    }

    @ingresses
    def test_is_off_by_default_so_that_options_is_a_webhook(self, ingress: Ingress, synth: Synth) -> None:
        template = synth(ingress=ingress)
        assert methods(template, "OPTIONS") == []
        assert "Access-Control" not in json.dumps(template.to_json())

    @ingresses
    def test_answers_preflights_without_a_signature_or_a_key(self, ingress: Ingress, synth: Synth) -> None:
        template = synth(ingress=ingress, cors=self.CORS, iam_authorization=True, api_key=True)
        for preflight in methods(template, "OPTIONS"):
            assert (preflight["AuthorizationType"], preflight["ApiKeyRequired"]) == ("NONE", False)
            # If every media type is binary, API Gateway fails on the mock's template without it.
            assert preflight["Integration"]["ContentHandling"] == "CONVERT_TO_TEXT"
            (answer,) = preflight["Integration"]["IntegrationResponses"]
            headers = {f"method.response.header.{name}": value for name, value in self.HEADERS.items()}
            assert headers.items() <= answer["ResponseParameters"].items()
            assert answer["ResponseParameters"]["method.response.header.Access-Control-Max-Age"] == "'60'"
        assert len(methods(template, "OPTIONS")) == 2

    def test_of_a_direct_integration_is_on_every_answer(self, synth: Synth) -> None:
        template = synth(ingress=Ingress.direct_integration(), cors=self.CORS)
        headers = {f"method.response.header.{name}": value for name, value in self.HEADERS.items()}
        for method in methods(template, "ANY"):
            assert [a["ResponseParameters"] for a in method["Integration"]["IntegrationResponses"]] == [headers] * 3
            declared = dict.fromkeys(headers, True)
            assert all(response["ResponseParameters"] == declared for response in method["MethodResponses"])

    def test_of_a_lambda_integration_is_a_setting_of_the_publisher(self, synth: Synth) -> None:
        template = synth(cors=self.CORS)
        headers = json.dumps({name: value.strip("'") for name, value in self.HEADERS.items()})
        template.has_resource_properties(
            "AWS::Lambda::Function",
            {"Environment": {"Variables": Match.object_like({"WEBHOOK_RESPONSE_HEADERS": headers})}},
        )

    def test_is_on_every_answer_of_api_gateway_itself(self, synth: Synth) -> None:
        template = synth(cors=self.CORS)
        for type in ("DEFAULT_4XX", "DEFAULT_5XX"):
            headers = {f"gatewayresponse.header.{name}": value for name, value in self.HEADERS.items()}
            template.has_resource_properties(
                "AWS::ApiGateway::GatewayResponse", {"ResponseType": type, "ResponseParameters": headers}
            )


class TestAFurtherEndpoint:
    """It has the access control of the API, but no argument of the webhook's own endpoint."""

    def further(self, stack: Stack, **arguments: Any) -> tuple[ScalableWebhook, str, Template]:
        webhook = ScalableWebhook(stack, "Webhook", path="/one", **grouped(arguments))
        url = webhook.add_source("/two", Source.github(secretsmanager.Secret(stack, "Secret")))
        if arguments.get("iam_authorization"):
            webhook.grant_invoke(iam.Role(stack, "Client", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")))
        return webhook, url, Template.from_stack(stack)

    @ingresses
    def test_has_the_access_control_of_the_api(self, ingress: Ingress, stack: Stack) -> None:
        *_, template = self.further(stack, ingress=ingress, api_key=True, iam_authorization=True)
        methods = list(resources(template, "AWS::ApiGateway::Method").values())
        asked = [(m["HttpMethod"], m["AuthorizationType"], m["ApiKeyRequired"]) for m in methods]
        assert asked == [("ANY", "AWS_IAM", True)] * 4
        assert TestIam().invoke(template) == ["/*/one", "/*/one/*", "/*/two", "/*/two/*"]

    @ingresses
    def test_has_no_cors(self, ingress: Ingress, stack: Stack) -> None:
        cors = apigateway.CorsOptions(allow_origins=["https://example.com"])
        *_, template = self.further(stack, ingress=ingress, cors=cors, iam_authorization=True)
        methods = resources(template, "AWS::ApiGateway::Method")
        preflights = [id for id, method in methods.items() if method["HttpMethod"] == "OPTIONS"]
        assert len(preflights) == 2
        assert all("Apione" in id for id in preflights)
        # Otherwise every principal that may sign in this account could send by OPTIONS to the other endpoint, too.
        (allow,) = statements(template)
        assert allow["Resource"] == ["execute-api:/*/OPTIONS/one", "execute-api:/*/OPTIONS/one/*"]
        further = {id: method for id, method in methods.items() if "Apitwo" in id}
        further |= {
            id: function for id, function in resources(template, "AWS::Lambda::Function").items() if "Source" in id
        }
        assert len(further) == (3 if ingress is INGRESSES["lambda"] else 2)
        assert "Access-Control" not in json.dumps(further)

    def test_is_at_the_same_domain(self, stack: Stack) -> None:
        webhook, url, template = self.further(stack, domain_name=domain(stack, base_path="v1"))
        assert (webhook.url, url) == ("https://hooks.example.com/v1/one", "https://hooks.example.com/v1/two")
        outputs = {output["Description"]: output["Value"] for output in template.find_outputs("*").values()}
        urls = {value for what, value in outputs.items() if what.startswith("Webhook URL of ")}
        assert urls == {webhook.url, url}

    @ingresses
    def test_acknowledges_as_its_source_requires_or_as_its_argument_says(self, ingress: Ingress, stack: Stack) -> None:
        secret = secretsmanager.Secret(stack, "Secret")
        webhook = ScalableWebhook(stack, "Webhook", path="/one", ingress=ingress, acknowledgement=Acknowledgement(204))
        webhook.add_source("/github", Source.github(secret))
        webhook.add_source("/twilio", Source.twilio(secret))
        webhook.add_source("/told", Source.twilio(secret), acknowledgement=Acknowledgement(201, "ok"))
        template = Template.from_stack(stack)
        answers = {"one": (204, ""), "github": (202, None), "twilio": (200, "<Response/>"), "told": (201, "ok")}
        if ingress is INGRESSES["lambda"]:
            functions = resources(template, "AWS::Lambda::Function")
            found = {
                name: acknowledged(function["Environment"]["Variables"].get("WEBHOOK_ACKNOWLEDGEMENT"))
                for name in answers
                for id, function in functions.items()
                if id.startswith("WebhookPublisher" if name == "one" else f"WebhookSource{name}Publisher")
            }
            assert found == answers
        else:
            for name, (status, body) in answers.items():
                of_endpoint = [
                    method["Integration"]["IntegrationResponses"][1]
                    for id, method in resources(template, "AWS::ApiGateway::Method").items()
                    if f"Api{name}" in id
                ]
                assert [answer["StatusCode"] for answer in of_endpoint] == [str(status)] * 2
                for answer in of_endpoint:
                    text = answer["ResponseTemplates"]["application/json"]
                    assert text == literal(body) if body is not None else '{"id":' in text


def acknowledged(variable: str | None) -> tuple[int, str | None]:
    told = json.loads(variable or '{"status": 202, "body": null}')
    return told["status"], told["body"]


def test_an_acknowledgement_does_not_change_a_handshake(synth: Synth, stack: Stack) -> None:
    source = Source.microsoft_graph(secretsmanager.Secret(stack, "Secret"))
    direct = Ingress.direct_integration()
    template = synth(ingress=direct, source=source, acknowledgement=Acknowledgement(204))
    for method in methods(template, "ANY"):
        text = method["Integration"]["IntegrationResponses"][1]["ResponseTemplates"]["application/json"]
        assert "validationtoken" in text
        assert '$util.urlDecode("")' in text
        assert {"200", "204", "413"} <= {response["StatusCode"] for response in method["MethodResponses"]}


def test_without_a_source_only_iam_and_mutual_tls_prevent_a_warning(stack: Stack) -> None:
    mtls = apigateway.MTLSConfig(bucket=s3.Bucket.from_bucket_name(stack, "Bucket", "trust"), key="all.pem")
    ScalableWebhook(stack, "Signed", api=ApiOptions(iam_authorization=True))
    ScalableWebhook(stack, "Certified", api=ApiOptions(domain_name=domain(stack, mtls=mtls)))
    ScalableWebhook(stack, "Keyed", api=ApiOptions(api_key=True, allowed_ip_ranges=["10.0.0.0/8"]))
    said = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("source should name the provider"))
    assert [warning.id for warning in said] == ["/Stack/Keyed"]
