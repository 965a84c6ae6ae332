{{/* Name of what the release makes: its own name, as there is one daemon on a node. */}}
{{- define "nearpath.name" -}}
{{- if contains "nearpath" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "nearpath-%s" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "nearpath.selector" -}}
app.kubernetes.io/name: nearpath
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "nearpath.labels" -}}
{{ include "nearpath.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "nearpath.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "nearpath.account" -}}
{{- if .Values.serviceAccount.name }}{{ .Values.serviceAccount.name }}{{ else if .Values.serviceAccount.create }}{{ include "nearpath.name" . }}{{ else }}default{{ end }}
{{- end }}

{{/* All addresses that pods ask, the link-local one first. */}}
{{- define "nearpath.addresses" -}}
{{- $all := list .Values.localIP }}
{{- if .Values.localIPv6 }}{{ $all = append $all .Values.localIPv6 }}{{ end }}
{{- join "," (concat $all .Values.clusterIPs) }}
{{- end }}

{{- define "nearpath.upstream" -}}
@{{ .Values.upstream.namespace }}/{{ .Values.upstream.name }}
{{- end }}

{{/* The Corefile, unless a whole one is given. __PILLAR__...: what the daemon fills in. */}}
{{- define "nearpath.corefile" -}}
{{ .Values.clusterDomain }}:53 {
    errors
    {{- if .Values.autopath }}
    autopath @kubernetes
    {{- end }}
    cache {
        success 9984 30
        denial 9984 5
    }
    reload
    loop
    bind __PILLAR__LOCAL__DNS__
    forward . {{ include "nearpath.upstream" . }} {
        force_tcp
    }
    prometheus :{{ .Values.ports.metrics }}
    health {{ .Values.localIP }}:{{ .Values.ports.health }}
    ready {{ .Values.localIP }}:{{ .Values.ports.ready }}
}
in-addr.arpa:53 ip6.arpa:53 {
    errors
    cache 30
    reload
    loop
    bind __PILLAR__LOCAL__DNS__
    forward . {{ include "nearpath.upstream" . }} {
        force_tcp
    }
    prometheus :{{ .Values.ports.metrics }}
}
.:53 {
    errors
    cache 30
    reload
    loop
    bind __PILLAR__LOCAL__DNS__
    forward . {{ if .Values.outside }}{{ join " " .Values.outside }}{{ else }}__PILLAR__UPSTREAM__SERVERS__{{ end }}
    prometheus :{{ .Values.ports.metrics }}
}
{{- range .Values.privateZones }}
{{ join ":53 " .zones }}:53 {
    errors
    cache 30
    reload
    loop
    bind __PILLAR__LOCAL__DNS__
    privatezone {
        to {{ join " " .to }}
        max_qps {{ int .maxQps }}
        {{- with .burst }}
        burst {{ int . }}
        {{- end }}
        {{- if hasKey . "watch" }}
        {{- include "nearpath.watch" .watch | nindent 8 }}
        {{- end }}
    }
    prometheus :{{ $.Values.ports.metrics }}
}
{{- end }}
{{- end }}

{{/* `watch` of a private zone: in braces what differs from the default, which is DNSEndpoint objects alone. */}}
{{- define "nearpath.watch" -}}
{{- $lines := list }}
{{- if .services }}{{ $lines = append $lines "services" }}{{ end }}
{{- if .ingresses }}{{ $lines = append $lines "ingresses" }}{{ end }}
{{- if eq (toString .endpoints) "false" }}{{ $lines = append $lines "endpoints off" }}{{ end }}
{{- with .namespace }}watch {{ . }}{{ else }}watch{{ end }}
{{- with $lines }} {
    {{- join "\n" . | nindent 4 }}
}
{{- end }}
{{- end }}
