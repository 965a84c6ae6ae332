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

{{/* The names that a zone of `privateZones` stands for, each with a blank behind it: its own, or the reverse zones of a prefix. */}}
{{- define "nearpath.zones" -}}
{{- if not (regexMatch "^[0-9]{1,3}([.][0-9]{1,3}){3}/" .) }}{{ printf "%s " (lower .) }}{{ else }}
{{- if not (regexMatch "^((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])[./]){4}(3[0-2]|[12]?[0-9])$" .) }}{{ fail (printf "privateZones: %s is no prefix" .) }}{{ end }}
{{- $length := regexFind "[0-9]+$" . | int }}
{{- $labels := div (add $length 7) 8 | int }}
{{- $several := index (list 1 2 4 8 16 32 64 128) (sub (mul 8 $labels) $length | int) }}
{{- $octets := regexSplit "[./]" . -1 }}
{{- $parent := "in-addr.arpa" }}
{{- if not $labels }}{{ $parent }} {{ else }}
{{- range until (sub $labels 1 | int) }}{{ $parent = printf "%s.%s" (index $octets .) $parent }}{{ end }}
{{- $last := sub $labels 1 | int | index $octets | int }}
{{- $first := sub $last (mod $last $several) | int }}
{{- range untilStep $first (add $first $several | int) 1 }}{{ printf "%d.%s " . $parent }}{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Fails where the daemon would refuse the Corefile, so that nothing is rolled out: each zone has one block. */}}
{{- define "nearpath.servedOnce" -}}
{{- $own := list (lower .Values.clusterDomain) "in-addr.arpa" "ip6.arpa" }}
{{- $known := list }}
{{- range .Values.privateZones }}
{{- range .zones }}
{{- range include "nearpath.zones" . | trim | splitList " " }}
{{- if has . $own }}{{ fail (printf "privateZones: %s is the cluster's own zone (clusterDomain, in-addr.arpa, ip6.arpa) and has a block already: name a zone below it, or another one" .) }}{{ end }}
{{- if has . $known }}{{ fail (printf "privateZones: the zone %s stands twice: name it once; all its servers stand in one `to`" .) }}{{ end }}
{{- $known = append $known . }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The Corefile, unless a whole one is given. __PILLAR__...: what the daemon fills in. */}}
{{- define "nearpath.corefile" -}}
{{- if not .Values.corefile }}{{ include "nearpath.servedOnce" . }}{{ end }}
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
